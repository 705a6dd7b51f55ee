// SPDX-License-Identifier: Apache-2.0
// spec/semantics.md §5: timers, tickers, after, tick, after_func, sleep; Go 1.23's rules.
#include <string>

#include "conformance_testing.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/timer.hpp"

using namespace conformance;

namespace {

/// Computes until `d` is over: the scheduler may not get to run its timers.
void spin_for(std::chrono::nanoseconds d) {
  const auto until = weft::now() + d;
  while (weft::now() < until) continue;
}

TEST(Timers, DeliversTheTimeOfDelivery) {
  on_one_p([] {
    const auto start = weft::now();
    weft::timer t(3ms);
    const weft::time_point at = *t.c().recv();
    EXPECT_GE(at - start, 3ms);
    EXPECT_GE(weft::now(), at);
    EXPECT_FALSE(t.c().try_recv());
  });
}

TEST(Timers, ChannelLooksUnbuffered) {
  on_one_p([] {
    weft::timer t(1ms);
    weft::sleep_for(3ms);
    EXPECT_EQ(t.c().len(), 0u);
    EXPECT_EQ(t.c().cap(), 0u);
    EXPECT_TRUE(t.c().try_recv());
  });
}

TEST(Timers, ADueTimeIsReceivedEvenIfTheSchedulerHadNoTime) {
  on_one_p([] {
    weft::timer t(1ms);
    spin_for(2ms);
    EXPECT_TRUE(t.c().try_recv());
    EXPECT_FALSE(t.c().try_recv());
    t.reset(1ms);
    spin_for(2ms);
    EXPECT_EQ(weft::select(weft::on_recv(t.c()), weft::otherwise()), 0);
  });
}

TEST(Timers, NoStaleTimeAfterStop) {
  on_one_p([] {
    weft::timer t(1ms);
    weft::sleep_for(3ms);
    EXPECT_TRUE(t.stop());  // the time has come, but was not received
    EXPECT_FALSE(t.c().try_recv());
    EXPECT_FALSE(t.stop());
    weft::timer later(1h);
    EXPECT_TRUE(later.stop());
    EXPECT_FALSE(later.stop());
  });
}

TEST(Timers, StopAfterAReceiveReturnsFalse) {
  on_one_p([] {
    weft::timer t(1ms);
    (void)t.c().recv();
    EXPECT_FALSE(t.stop());
  });
}

TEST(Timers, NoStaleTimeAfterReset) {
  on_one_p([] {
    weft::timer t(1ms);
    weft::sleep_for(3ms);
    EXPECT_TRUE(t.reset(1h));
    EXPECT_FALSE(t.c().try_recv());
    const auto start = weft::now();
    EXPECT_TRUE(t.reset(2ms));
    EXPECT_GE(*t.c().recv() - start, 2ms);
    EXPECT_FALSE(t.reset(1ms));
    EXPECT_TRUE(t.c().recv());
  });
}

TEST(Timers, ResetsAndStopsAgainstFiring) {
  on_four_ps([] {
    weft::timer t(1h);
    for (int i = 0; i < 500; ++i) {
      t.reset(std::chrono::microseconds(i % 20));
      spin_for(std::chrono::microseconds(i % 17));
      const bool pending = t.stop();
      if (pending) {
        EXPECT_FALSE(t.c().try_recv());
      }
      EXPECT_FALSE(t.c().try_recv());
    }
  });
}

TEST(Timers, AChannelOutlivesItsTimer) {
  on_one_p([] {
    weft::recv_chan<weft::time_point> c;
    {
      const weft::timer t(1ms);
      c = t.c();
    }
    EXPECT_TRUE(c.recv());
    for (int i = 0; i < 100; ++i) (void)weft::after(1ms);  // dropped at once
    weft::sleep_for(3ms);
  });
}

TEST(Timers, AfterFuncRunsInItsOwnGoroutine) {
  on_one_p([] {
    auto ran = weft::make_chan<uint64_t>();
    const auto start = weft::now();
    weft::timer t = weft::after_func(2ms, [=] { ran.send(weft::goroutine_id()); });
    EXPECT_TRUE(t.c() == nullptr);
    EXPECT_NE(ran.recv(), weft::goroutine_id());
    EXPECT_GE(weft::now() - start, 2ms);
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(1ms));
    EXPECT_TRUE(ran.recv());
  });
}

TEST(Timers, StopPreventsAfterFunc) {
  on_one_p([] {
    bool ran = false;
    weft::timer t = weft::after_func(1ms, [&ran] { ran = true; });
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
    weft::sleep_for(3ms);
    EXPECT_FALSE(ran);
  });
}

TEST(Timers, AfterFuncRunsThoughItsTimerIsDropped) {
  on_one_p([] {
    auto ran = weft::make_chan<int>();
    weft::after_func(1ms, [=] { ran.send(1); });
    EXPECT_EQ(ran.recv(), 1);
  });
}

TEST(Timers, TickerTicksAtItsPeriodAndKeepsOne) {
  on_one_p([] {
    const auto start = weft::now();
    weft::ticker t(2ms);
    for (int i = 1; i <= 3; ++i) EXPECT_GE(*t.c().recv() - start, i * 2ms);
    weft::sleep_for(10ms);  // misses some
    EXPECT_TRUE(t.c().try_recv());
    EXPECT_FALSE(t.c().try_recv());
    EXPECT_EQ(t.c().len(), 0u);
  });
}

TEST(Timers, StoppedTickerTicksNoMoreAndIsNotClosed) {
  on_one_p([] {
    weft::ticker t(1ms);
    (void)t.c().recv();
    t.stop();
    weft::sleep_for(4ms);
    bool closed = true;
    EXPECT_FALSE(t.c().try_recv(closed));
    EXPECT_FALSE(closed);
    t.reset(1ms);
    EXPECT_TRUE(t.c().recv());
  });
}

TEST(Timers, NonPositiveIntervalsPanic) {
  EXPECT_EQ(panic_of([] { weft::ticker t(0s); }), "non-positive interval for NewTicker");
  EXPECT_EQ(panic_of([] { weft::ticker t(-1s); }), "non-positive interval for NewTicker");
  weft::ticker t(1h);
  EXPECT_EQ(panic_of([&] { t.reset(0s); }), "non-positive interval for Ticker.Reset");
  EXPECT_TRUE(weft::tick(0s) == nullptr);
  EXPECT_TRUE(weft::tick(-1s) == nullptr);
  on_one_p([] { EXPECT_TRUE(weft::tick(1ms).recv()); });
}

TEST(Timers, UninitializedTimersPanic) {
  weft::timer t;
  EXPECT_EQ(panic_of([&] { t.stop(); }), "time: Stop called on uninitialized Timer");
  EXPECT_EQ(panic_of([&] { t.reset(1s); }), "time: Reset called on uninitialized Timer");
}

TEST(Timers, SleepOfNothingReturnsAtOnce) {
  on_one_p([] {
    weft::sleep_for(0s);
    weft::sleep_for(-1h);
    const auto start = weft::now();
    weft::sleep_for(2ms);
    EXPECT_GE(weft::now() - start, 2ms);
    watched g([] { weft::sleep_for(5ms); });
    EXPECT_EQ(g.blocked_on(), "sleep");
    g.join();
  });
}

TEST(Timers, NonPositiveDurationsFireAtOnce) {
  on_one_p([] {
    EXPECT_TRUE(weft::after(-1s).try_recv());
    weft::timer t(0s);
    EXPECT_TRUE(t.c().recv());
  });
}

TEST(Timers, ManyFireInOrder) {
  on_one_p([] {
    auto order = weft::make_chan<int>(64);
    for (int i = 63; i >= 0; --i) weft::after_func(1ms + i * 50us, [=] { order.send(i); });
    int last = -1;
    int wrong = 0;
    for (int i = 0; i < 64; ++i) {
      const int now = *order.recv();
      if (now < last) ++wrong;
      last = now;
    }
    // Goroutines of timers that are due together may run in any order.
    EXPECT_LE(wrong, 63);
  });
}

}  // namespace
