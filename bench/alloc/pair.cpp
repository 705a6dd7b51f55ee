// SPDX-License-Identifier: Apache-2.0
// One thread. pair: an object at a time. fifo: a thousand, freed in the order they came in.
#include <algorithm>

#include "rows.hpp"

namespace bench {

void pair(const call& how) {
  constexpr size_t sizes[] = {16, 32, 64, 96, 128, 192, 256};
  constexpr auto kinds = static_cast<int64_t>(std::size(sizes));
  const auto all_sizes = [&](int64_t count) {
    for (const size_t bytes : sizes)
      for (int64_t i = 0; i < count; ++i) std::free(allocate(bytes));
  };
  const int64_t count = how.count(4'000'000);
  all_sizes(count / 10);
  result out(how);
  out.start();
  all_sizes(count);
  out.stop(count * kinds);
  print_with_peak(out);
}

void fifo(const call& how) {
  constexpr size_t sizes[] = {16, 64, 192, 256, 512, 1024};
  constexpr int held_count = 1000;
  static void* held[held_count];
  const auto rounds_of = [&](size_t bytes, int64_t rounds) {
    for (int64_t round = 0; round < rounds; ++round) {
      for (void*& object : held) object = allocate(bytes);
      for (void* object : held) std::free(object);
    }
  };
  const int64_t rounds = how.count(3000);
  const int64_t warm_up = std::max<int64_t>(rounds / 10, 1);
  result out(how);
  double worst = 0;
  out.start();
  for (const size_t bytes : sizes) {
    rounds_of(bytes, warm_up);
    const int64_t began = cpu_ns();
    rounds_of(bytes, rounds);
    const auto took = static_cast<double>(cpu_ns() - began);
    worst = std::max(worst, took / static_cast<double>(rounds * held_count));
  }
  out.stop((warm_up + rounds) * held_count * static_cast<int64_t>(std::size(sizes)));
  out.value("worst_ns", worst);
  print_with_peak(out);
}

}  // namespace bench
