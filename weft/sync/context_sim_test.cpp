// SPDX-License-Identifier: Apache-2.0
// Contexts, timers and groups under seeded schedules, in virtual time: exact to the nanosecond.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/group.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

using weft::sim_testing::explore;

TEST(ContextSim, CancelRacesWithChildrenBeingMade) {
  explore([] {
    auto [root, cancel] = weft::with_cancel(weft::background());
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([root] {
        for (int i = 0; i < 4; ++i) {
          auto [child, cancel_child] = weft::with_timeout(root, 1h);
          auto [below, cancel_below] = weft::with_cancel(child);
          weft::yield();
          if (i == 3) {
            (void)below.done().recv();
            EXPECT_EQ(below.err(), weft::canceled);
            EXPECT_EQ(root.err(), weft::canceled);
          }
        }
      });
    all.go([&cancel] {
      weft::yield();
      cancel();
    });
    all.wait();
  });
}

TEST(ContextSim, DeadlinesAreExactInVirtualTime) {
  explore([] {
    const auto start = weft::now();
    auto [outer, cancel_outer] = weft::with_timeout(weft::background(), 3s);
    weft::wait_group all;
    for (int g = 1; g <= 5; ++g)
      all.go([=] {
        auto [ctx, cancel] = weft::with_timeout(outer, std::chrono::seconds(g));
        (void)ctx.done().recv();
        EXPECT_EQ(ctx.err(), weft::deadline_exceeded);
        EXPECT_EQ(weft::now() - start, std::min(g * 1s, 3s));
      });
    all.wait();
    EXPECT_EQ(weft::now() - start, 3s);
  });
}

TEST(ContextSim, AfterFuncRunsOrIsStoppedNeverBoth) {
  explore([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    std::atomic<int> ran{0};
    int stopped = 0;
    std::vector<weft::stop_func> stops;
    for (int i = 0; i < 4; ++i) stops.push_back(weft::after_func(ctx, [&ran] { ++ran; }));
    auto stopper = weft::spawn([&] {
      for (auto& stop : stops) {
        if (stop()) ++stopped;
        weft::yield();
      }
    });
    weft::yield();
    cancel();
    stopper.join();
    weft::sim::wait();
    EXPECT_EQ(ran + stopped, 4);
  });
}

TEST(TimerSim, FiresExactlyWhenItIsDue) {
  explore([] {
    const auto start = weft::now();
    weft::wait_group all;
    for (int i = 1; i <= 5; ++i)
      all.go([=] {
        weft::timer t(i * 7ms);
        EXPECT_EQ(*t.c().recv() - start, i * 7ms);
        EXPECT_EQ(weft::now() - start, i * 7ms);
      });
    all.wait();
  });
}

TEST(TimerSim, StopAgainstFiring) {
  explore([] {
    for (int i = 0; i < 5; ++i) {
      weft::timer t(10ms);
      int received = 0;
      auto receiver = weft::spawn([&] {
        weft::select(weft::on_recv(t.c(), [&] { ++received; }), weft::after(20ms, [] {}));
      });
      weft::sleep_for(10ms);
      const bool prevented = t.stop();
      receiver.join();
      EXPECT_EQ(prevented, received == 0);
    }
  });
}

TEST(TimerSim, TickerMissesWhatASlowReceiverMisses) {
  explore([] {
    const auto start = weft::now();
    weft::ticker t(10ms);
    EXPECT_EQ(*t.c().recv() - start, 10ms);
    weft::sleep_for(35ms);  // 20, 30, 40 pass; the first of them is kept
    EXPECT_EQ(*t.c().recv() - start, 20ms);
    EXPECT_EQ(*t.c().recv() - start, 50ms);
    t.stop();
    weft::sleep_for(100ms);
    EXPECT_FALSE(t.c().try_recv());
  });
}

TEST(GroupSim, TheFirstErrorInTimeWins) {
  explore([] {
    auto [g, ctx] = weft::with_group(weft::background());
    g.limit(3);
    for (int i = 1; i <= 6; ++i)
      g.go([i, c = ctx]() -> weft::result<void> {
        int ended = 0;
        weft::select(weft::on_done(c, [&] { ended = 1; }),
                     weft::after(std::chrono::milliseconds(i), [] {}));
        if (ended == 0 && i >= 2) return weft::fail(weft::error("no " + std::to_string(i)));
        return {};
      });
    const auto r = g.wait();
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error().message(), "no 2");
    EXPECT_EQ(weft::cause(ctx), r.error());
  });
}

}  // namespace
