// SPDX-License-Identifier: Apache-2.0
// What the parts of the soak have in common.
#pragma once

#include <weft/weft.hpp>

#include <atomic>
#include <cstdint>
#include <random>
#include <span>

namespace soak {

/// One thing that goes on all the time. `run` works until `ctx` ends and then leaves nothing
/// behind; it counts what it did in `steps`, so that one that stands still is noticed.
struct activity {
  const char* name;
  void (*run)(const weft::context& ctx, std::atomic<uint64_t>& steps);
};

std::span<const activity> sync_activities();
std::span<const activity> sched_activities();
std::span<const activity> net_activities();

/// Ends the program with what did not hold.
[[noreturn]] void failed(const char* what, int64_t got, int64_t wanted);

inline void expect_equal(const char* what, int64_t got, int64_t wanted) {
  if (got != wanted) failed(what, got, wanted);
}

/// Runs `f(random)` in `count` goroutines, again and again until `ctx` ends; waits for them.
template <class F>
void crowd(const weft::context& ctx, unsigned count, F f) {
  weft::wait_group all;
  for (unsigned i = 0; i < count; ++i)
    all.go([&ctx, &f, i] {
      std::mt19937 random(i + 1);
      while (!ctx.err()) f(random);
    });
  all.wait();
}

}  // namespace soak
