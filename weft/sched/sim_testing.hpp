// SPDX-License-Identifier: Apache-2.0
// How many seeds the scenarios of x_sim_test.cpp run, and what failed runs leave behind.
#pragma once

#include <cstdint>

#include "weft/base/sanitizer.hpp"
#include "weft/sched/sim.hpp"

#if WEFT_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace weft::sim_testing {

/// 25 scenarios and more: over 100,000 runs in a second or two. Instrumented code takes 10 to 50
/// times as long. ./dev soak multiplies it (WEFT_SIM_SEEDS).
#if WEFT_TSAN
// A goroutine is a thread in its eyes, and one is a millisecond's work with g++ 12's runtime. It
// sees a race in any schedule that has both accesses.
inline constexpr uint64_t scenario_seeds = 40;
#elif WEFT_ASAN || defined(WEFT_DEBUG_BUILD)
inline constexpr uint64_t scenario_seeds = 1000;
#else
inline constexpr uint64_t scenario_seeds = 4000;
#endif

/// A failed world's goroutines are abandoned, by contract: what they hold is no leak of ours.
struct expect_abandoned {
#if WEFT_ASAN
  expect_abandoned() { __lsan_disable(); }
  ~expect_abandoned() { __lsan_enable(); }
#else
  expect_abandoned() {}
  ~expect_abandoned() {}
#endif
  expect_abandoned(const expect_abandoned&) = delete;
  expect_abandoned& operator=(const expect_abandoned&) = delete;
};

/// The usual exploration: all strategies, and all faults but failing allocations.
template <class F>
void explore(F&& f) {
  sim::explore({.seeds = scenario_seeds, .faults = sim::harmless_faults}, f);
}

}  // namespace weft::sim_testing
