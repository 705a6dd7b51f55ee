// SPDX-License-Identifier: Apache-2.0
// mstress (D. Leijen): threads that come and go, objects of all sizes, short and long lives, and a
// table through which threads hand objects to each other. Each word of an object is written when it
// comes and looked at when it goes.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "rows.hpp"

namespace bench {

namespace {

constexpr size_t table_count = 1000;
std::atomic<uint64_t*> table[table_count];

size_t words_of(quick_random& random) {
  // One in a hundred is a hundred times as large, one in a thousand four hundred times.
  size_t words = random.between(1, 32);
  if (random.between(0, 99) == 0) {
    words *= 100;
  } else if (random.between(0, 999) == 0) {
    words *= 400;
  }
  return words;
}

uint64_t* make(size_t words) {
  auto* object = static_cast<uint64_t*>(allocate((words + 1) * sizeof(uint64_t)));
  object[0] = words;
  for (size_t i = 1; i <= words; ++i) object[i] = words ^ i;
  return object;
}

void drop(uint64_t* object) {
  if (object == nullptr) return;
  const uint64_t words = object[0];
  for (size_t i = 1; i <= words; ++i)
    if (object[i] != (words ^ i)) {
      std::fprintf(stderr, "mstress: an object was changed by others\n");
      std::abort();
    }
  std::free(object);
}

void stress(uint64_t seed, int64_t count) {
  quick_random random(seed);
  std::vector<uint64_t*> brief;
  std::vector<uint64_t*> kept;
  for (int64_t i = 0; i < count; ++i) {
    uint64_t* object = make(words_of(random));
    (random.between(0, 9) == 0 ? kept : brief).push_back(object);
    if (random.between(0, 9) < 7 && !brief.empty()) {
      const size_t at = random.between(0, static_cast<uint32_t>(brief.size() - 1));
      drop(brief[at]);
      brief[at] = brief.back();
      brief.pop_back();
    }
    if (random.between(0, 3) == 0 && !kept.empty())
      kept.back() = table[random.between(0, table_count - 1)].exchange(kept.back());
    if (!kept.empty() && kept.back() == nullptr) kept.pop_back();
  }
  for (uint64_t* object : brief) drop(object);
  for (uint64_t* object : kept) drop(object);
}

}  // namespace

void mstress(const call& how) {
  constexpr int64_t generations = 25;
  const int64_t count = how.count(50'000);
  result out(how);
  out.start();
  for (int64_t generation = 0; generation < generations; ++generation) {
    std::vector<std::thread> threads;
    for (int t = 0; t < how.procs; ++t)
      threads.emplace_back(stress, static_cast<uint64_t>(generation * 64 + t + 1), count);
    for (auto& thread : threads) thread.join();
    if (generation % 5 == 4)
      for (auto& place : table) drop(place.exchange(nullptr));
  }
  out.stop(count * generations * how.procs);
  for (auto& place : table) drop(place.exchange(nullptr));
  print_with_peak(out);
}

}  // namespace bench
