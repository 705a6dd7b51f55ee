// SPDX-License-Identifier: Apache-2.0
// spec/semantics.md §7, in C++'s terms: panic is an exception, recover is catch, defer is a scope.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "conformance_testing.hpp"
#include "weft/base/defer.hpp"
#include "weft/net/net.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

using namespace conformance;

namespace {

TEST(PanicDefer, DefersRunInReverseOrderOnReturnAndOnPanic) {
  on_one_p([] {
    std::string order;
    const auto body = [&](bool panics) {
      const weft::defer first([&] { order += '1'; });
      const weft::defer second([&] { order += '2'; });
      if (panics) weft::panic("on purpose");
      order += 'r';
    };
    body(false);
    EXPECT_EQ(order, "r21");
    order.clear();
    EXPECT_EQ(panic_of([&] { body(true); }), "on purpose");
    EXPECT_EQ(order, "21");
  });
}

TEST(PanicDefer, DeferMayPark) {
  on_one_p([] {
    auto c = weft::make_chan<int>();
    watched g([=] { const weft::defer last([&] { c.send(1); }); });
    EXPECT_EQ(g.blocked_on(), "chan send");
    EXPECT_EQ(c.recv(), 1);
    g.join();
  });
}

TEST(PanicDefer, CaughtWhereItIsCaughtAndNowhereElse) {
  on_one_p([] {
    const std::string inner = panic_of([] {
      EXPECT_EQ(panic_of([] { weft::panic("one"); }), "one");
      weft::panic("two");
    });
    EXPECT_EQ(inner, "two");
  });
}

TEST(PanicDefer, ANewPanicWhileOneIsHandledReplacesIt) {
  on_one_p([] {
    EXPECT_EQ(panic_of([] {
                try {
                  weft::panic("first");
                } catch (const weft::panic_error&) {
                  weft::panic("second");
                }
              }),
              "second");
  });
}

TEST(PanicDefer, ACatchBlockMayParkWhileOthersThrow) {
  on_one_p([] {
    auto c = weft::make_chan<int>();
    auto t = weft::spawn([=] {
      try {
        weft::panic("mine");
      } catch (const weft::panic_error&) {
        (void)c.recv();
        try {
          throw;  // still mine
        } catch (const weft::panic_error& e) {
          EXPECT_STREQ(e.what(), "mine");
        }
      }
    });
    weft::yield();
    try {
      weft::panic("other");
    } catch (const weft::panic_error& e) {
      c.send(1);
      weft::yield();
      EXPECT_STREQ(e.what(), "other");
    }
    t.join();
  });
}

TEST(PanicDefer, JoinRethrows) {
  on_one_p([] {
    auto t = weft::spawn([] { weft::panic("in the goroutine"); });
    EXPECT_EQ(panic_of([&] { t.join(); }), "in the goroutine");
  });
}

TEST(PanicDefer, AnUncaughtPanicEndsTheProcess) {
  expect_death(
      [] {
        weft::wait_group all;
        all.go([] { weft::panic("nobody catches this"); });
        all.wait();
      },
      "^panic: nobody catches this\n");
}

TEST(PanicDefer, OnlyTheDefersOfThatGoroutineMayHaveRun) {
  expect_death(
      [] {
        const weft::defer not_mine([] { fputs("defer of another\n", stderr); });
        weft::go([] { weft::panic("nobody catches this"); });
        weft::sleep_for(1min);
      },
      "^panic: nobody catches this\n");  // the first line: nothing was written before
}

TEST(PanicDefer, AnyExceptionEndsTheProcessTheSameWay) {
  expect_death(
      [] {
        weft::go([] { throw std::runtime_error("not a panic"); });
        weft::sleep_for(1min);
      },
      "^panic: .*not a panic");
}

TEST(PanicDefer, ADeadlockIsFatalAndNamed) {
  expect_death([] { (void)weft::make_chan<int>().recv(); },
               "fatal error: all goroutines are asleep - deadlock!(.|\n)*chan receive");
}

TEST(PanicDefer, ADeadlockIsSeenWhenTheNetworkIsNoHopeAnyMore) {
  expect_death(
      [] {
        auto listening = weft::net::listen("tcp", "127.0.0.1:0");
        weft::go([l = *listening] { (void)l.accept(); });
        weft::sleep_for(1ms);
        listening->close();
        (void)weft::make_chan<int>().recv();
      },
      "fatal error: all goroutines are asleep - deadlock!(.|\n)*chan receive");
}

TEST(PanicDefer, ADeadlockIsSeenWhenTheLastTimerIsStopped) {
  expect_death(
      [] {
        weft::timer tm(1h);
        weft::go([&] { (void)tm.stop(); });
        (void)weft::make_chan<int>().recv();
      },
      "fatal error: all goroutines are asleep - deadlock!(.|\n)*chan receive");
}

TEST(PanicDefer, ADeadlockOfForeignThreadsIsSeenToo) {
  expect_death(
      [] {
        auto never = weft::make_chan<int>();
        std::thread guest([never] { (void)never.recv(); });
        (void)never.recv();
        guest.join();
      },
      "fatal error: all goroutines are asleep - deadlock!(.|\n)*chan receive");
}

}  // namespace
