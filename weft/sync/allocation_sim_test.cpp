// SPDX-License-Identifier: Apache-2.0
// What holds when an allocation fails in the middle: nothing is lost, nobody hangs, and the objects
// may be used further. The seed says which allocations fail.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <new>
#include <optional>

#include "weft/sched/runtime.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/group.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

/// Runs `f` until no allocation of it fails; returns how often one did.
template <class F>
int persist(F&& f) {
  for (int failures = 0;; ++failures) {
    try {
      f();
      return failures;
    } catch (const std::bad_alloc&) {
    }
  }
}

/// One run in ten meets a failure at the very least.
constexpr int failures_least = static_cast<int>(weft::sim_testing::scenario_seeds / 10);

int explore_failing(const std::function<int()>& f) {
  int failures = 0;
  weft::sim::explore({.seeds = weft::sim_testing::scenario_seeds, .faults = weft::sim::all_faults},
                     [&] { failures += f(); });
  return failures;
}

TEST(AllocationSim, AWaitGroupWaitsForThoseThatStarted) {
  const int failures = explore_failing([] {
    weft::wait_group all;
    int started = 0;
    std::atomic<int> ran{0};
    int failed = 0;
    for (int i = 0; i < 10; ++i) try {
        all.go([&ran] { ++ran; });
        ++started;
      } catch (const std::bad_alloc&) {
        ++failed;
      }
    all.wait();
    EXPECT_EQ(ran, started);
    return failed;
  });
  EXPECT_GT(failures, failures_least);
}

TEST(AllocationSim, AGroupFreesThePlaceOfOneThatDidNotStart) {
  const int failures = explore_failing([] {
    std::optional<weft::group_and_context> made;
    int failed = persist([&] { made.emplace(weft::with_group(weft::background())); });
    std::atomic<int> ran{0};
    failed += persist([&] { made->g.limit(2); });
    for (int i = 0; i < 6; ++i)
      failed += persist([&] {
        made->g.go([&ran]() -> weft::result<void> {
          ++ran;
          return {};
        });
      });
    EXPECT_TRUE(made->g.wait().has_value());
    EXPECT_EQ(ran, 6);
    return failed;
  });
  EXPECT_GT(failures, failures_least);
}

TEST(AllocationSim, ContextsAndTimersAreMadeOrNot) {
  const int failures = explore_failing([] {
    const auto start = weft::now();
    int failed = 0;
    weft::chan<int> c;
    failed += persist([&] { c = weft::make_chan<int>(1); });
    failed += persist([&] {
      auto [ctx, cancel] = weft::with_timeout(weft::background(), 5ms);
      auto [below, cancel_below] = weft::with_cancel(ctx);
      const auto with = weft::with_value(below, std::string("key"), 7);
      weft::timer t(2ms);
      auto sender = weft::spawn([&] { c.send(1); });
      EXPECT_EQ(c.recv(), 1);
      sender.join();
      (void)t.c().recv();
      (void)with.done().recv();
      EXPECT_EQ(with.err(), weft::deadline_exceeded);
      EXPECT_GE(weft::now() - start, 5ms);
    });
    return failed;
  });
  EXPECT_GT(failures, failures_least);
}

}  // namespace
