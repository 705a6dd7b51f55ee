// SPDX-License-Identifier: Apache-2.0
// What a heap profiler sees: objects of 16 to 3,800 bytes, 750 on average, allocated 24 calls deep;
// 200,000 live, one at random replaced at a time.
#include <vector>

#include "rows.hpp"

namespace bench {

namespace {

__attribute__((noinline)) void* allocate_deep(int depth, size_t bytes) {
  void* object = depth == 0 ? allocate_written(bytes) : allocate_deep(depth - 1, bytes);
  asm volatile("" : "+r"(object));  // no tail call: the frame stays
  return object;
}

size_t draw_bytes(quick_random& random) {
  const uint32_t tenth = random.between(0, 9);
  if (tenth < 5) return random.between(16, 256);
  return tenth < 8 ? random.between(256, 1024) : random.between(1024, 3800);
}

}  // namespace

void prof(const call& how) {
  constexpr int depth = 24;
  constexpr uint32_t live_count = 200'000;
  quick_random random(1);
  std::vector<void*> live(static_cast<size_t>(how.count(live_count)));
  for (void*& place : live) place = allocate_deep(depth, draw_bytes(random));
  const auto replace = [&](int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      void*& place = live[random.between(0, static_cast<uint32_t>(live.size() - 1))];
      std::free(place);
      place = allocate_deep(depth, draw_bytes(random));
    }
  };
  const int64_t count = how.count(3'000'000);
  replace(count / 10);
  result out(how);
  out.start();
  replace(count);
  out.stop(count);
  print_with_peak(out);
}

}  // namespace bench
