// SPDX-License-Identifier: Apache-2.0
// Cold stacks go back to the kernel, and goroutines start on them again as if nothing had happened.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>

#include "weft/base/sanitizer.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"

namespace {

inline constexpr int crowd = 4000;
inline constexpr int64_t second_ns = 1'000'000'000;

/// A crowd alive at once, each with two touched pages; then all end.
void crowd_comes_and_goes() {
  std::atomic<int> arrived{0};
  std::atomic<int> left{0};
  for (int i = 0; i < crowd; ++i)
    weft::go([&, i] {
      char frame[4096];
      frame[0] = static_cast<char>(i);
      asm volatile("" ::"r"(frame) : "memory");
      ++arrived;
      while (arrived < crowd) weft::yield();
      ++left;
    });
  while (left < crowd) weft::yield();
}

long resident_pages() {
  long total = 0;
  long resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file != nullptr) {
    EXPECT_EQ(std::fscanf(file, "%ld %ld", &total, &resident), 2);
    std::fclose(file);
  }
  return resident;
}

TEST(Trim, ColdStacksGoBackAndAreUsedAgain) {
  weft::run({.procs = 2}, [] {
    crowd_comes_and_goes();
    const long warm = resident_pages();
    int64_t later = weft::rt::now_ns();
    for (int round = 0; round < 20; ++round) {
      later += 20 * second_ns;
      const weft::rt::section entered;
      weft::rt::trim_stacks(later);
    }
    if (!weft::rt::sanitizer::address && !weft::rt::sanitizer::thread) {
      EXPECT_LT(resident_pages(), warm - crowd);
    }
    // A few at a time: parts of trimmed batches are taken, and given back with warm ones.
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> ran{0};
      for (int i = 0; i < 100; ++i) weft::go([&] { ++ran; });
      while (ran < 100) weft::yield();
      later += 20 * second_ns;
      const weft::rt::section entered;
      weft::rt::trim_stacks(later);
    }
    crowd_comes_and_goes();
  });
}

}  // namespace
