// SPDX-License-Identifier: Apache-2.0
// Channels and select on several Ps and from foreign threads; elements' lives.
#include "weft/sync/chan.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

/// Counts the instances that live, and hates bytewise copies.
struct counted {
  static inline weft::rt::atomic<int> alive{0};
  explicit counted(int v) noexcept : self(this), value(v) { alive.fetch_add(1, weft::rt::relaxed); }
  counted(counted&& other) noexcept : counted(other.value) { other.value = -1; }
  counted(const counted&) = delete;
  ~counted() {
    EXPECT_EQ(self, this);
    alive.fetch_sub(1, weft::rt::relaxed);
  }
  counted* self;
  int value;
};

void many_to_many(int64_t capacity) {
  weft::run({.procs = 4}, [=] {
    auto c = weft::make_chan<counted>(capacity);
    weft::rt::atomic<int64_t> sum{0};
    weft::wait_group senders;
    weft::wait_group receivers;
    for (int s = 0; s < 4; ++s)
      senders.go([=] {
        for (int i = 1; i <= 20000; ++i) c.send(counted(i));
      });
    for (int r = 0; r < 4; ++r)
      receivers.go([&sum, c] {
        for (auto&& v : c) sum.fetch_add(v.value, weft::rt::relaxed);
      });
    senders.wait();
    c.close();
    receivers.wait();
    EXPECT_EQ(sum.load(weft::rt::relaxed), int64_t{4} * 20000 * 20001 / 2);
  });
  EXPECT_EQ(counted::alive.load(weft::rt::relaxed), 0);
}

TEST(Chan, ManyToManyUnbuffered) { many_to_many(0); }
TEST(Chan, ManyToManyBuffered) { many_to_many(7); }

TEST(Chan, ElementsNotTakenStayWithTheSender) {
  auto c = weft::make_chan<counted>(1);
  counted mine(1);
  EXPECT_TRUE(c.try_send(std::move(mine)));
  counted other(2);
  EXPECT_FALSE(c.try_send(std::move(other)));
  EXPECT_EQ(other.value, 2);
  EXPECT_EQ(weft::select(weft::on_send(c, counted(3)), weft::otherwise()), 1);
  c.close();
  EXPECT_THROW(c.send(counted(4)), weft::panic_error);
  EXPECT_EQ(c.recv()->value, 1);
  EXPECT_EQ(counted::alive.load(weft::rt::relaxed), 2);
}

TEST(Chan, OverAlignedAndLargeElements) {
  struct alignas(64) wide {
    std::array<char, 1000> bytes{};
  };
  auto c = weft::make_chan<wide>(3);
  for (char i = 0; i < 3; ++i) {
    wide w;
    w.bytes[999] = i;
    c.send(w);
  }
  for (char i = 0; i < 3; ++i) {
    const wide w = *c.recv();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&w) % 64, 0u);
    EXPECT_EQ(w.bytes[999], i);
  }
}

TEST(Chan, AChannelOfChannels) {
  weft::run({.procs = 2}, [] {
    auto requests = weft::make_chan<weft::chan<int>>();
    weft::go([=] {
      for (weft::chan<int> reply : requests) reply.send(42);
    });
    for (int i = 0; i < 10; ++i) {
      auto reply = weft::make_chan<int>();
      requests.send(reply);
      EXPECT_EQ(reply.recv(), 42);
    }
    requests.close();
  });
}

TEST(Chan, FreedByTheReceiverRightAfterItsOnlyValue) {
  weft::run({.procs = 4}, [] {
    for (int i = 0; i < 1000; ++i) {
      auto c = weft::make_chan<int>();
      weft::go([d = c] { d.send(1); });
      EXPECT_EQ(std::exchange(c, nullptr).recv(), 1);
    }
  });
}

TEST(Chan, ForeignThreadsTalkWithoutARun) {
  auto there = weft::make_chan<int>();
  auto back = weft::make_chan<int>(1);
  std::thread other([=] {
    for (int v : there) back.send(v + 1);
    back.close();
  });
  for (int i = 0; i < 200; ++i) {
    there.send(i);
    EXPECT_EQ(back.recv(), i + 1);
  }
  there.close();
  EXPECT_EQ(back.recv(), std::nullopt);
  other.join();
}

TEST(Chan, ForeignThreadsTalkWithGoroutines) {
  weft::run({.procs = 2}, [] {
    auto there = weft::make_chan<int>();
    auto back = weft::make_chan<int>();
    auto finished = weft::make_chan<int>(1);
    std::thread other([=] {
      for (int i = 0; i < 200; ++i) {
        there.send(i);
        const auto got = back.recv();
        EXPECT_EQ(got, i * 2);
      }
      there.close();
      finished.send(1);
    });
    for (int v : there) back.send(v * 2);
    (void)finished.recv();
    weft::blocking([&] { other.join(); });
  });
}

TEST(Chan, ForeignThreadsSelectLockAndWait) {
  weft::run({.procs = 2}, [] {
    auto c = weft::make_chan<int>();
    auto done = weft::make_chan<int>(1);
    weft::mutex m;
    weft::wait_group wg;
    int plain = 0;
    wg.add(1);
    std::thread other([&] {
      int got = 0;
      weft::select(weft::on_recv(c, [&](std::optional<int> v) { got = *v; }),
                   weft::after(1h, [] {}));
      EXPECT_EQ(got, 5);
      EXPECT_EQ(weft::select(weft::on_recv(c), weft::after(2ms, [] {})), 1);
      EXPECT_TRUE(weft::after(1ms).recv());
      auto [ctx, cancel] = weft::with_timeout(weft::background(), 1ms);
      (void)ctx.done().recv();
      EXPECT_EQ(ctx.err(), weft::deadline_exceeded);
      for (int i = 0; i < 1000; ++i) {
        const std::lock_guard held(m);
        ++plain;
      }
      weft::go([&] { wg.done(); });
      wg.wait();
      done.send(1);
    });
    c.send(5);
    for (int i = 0; i < 1000; ++i) {
      const std::lock_guard held(m);
      ++plain;
    }
    (void)done.recv();
    weft::blocking([&] { other.join(); });
    EXPECT_EQ(plain, 2000);
  });
}

TEST(Select, ManySelectsOnTheSameChannels) {
  weft::run({.procs = 4}, [] {
    std::array<weft::chan<counted>, 3> channels;
    for (auto& c : channels) c = weft::make_chan<counted>(1);
    auto stop = weft::make_chan<int>();
    weft::rt::atomic<int64_t> sum{0};
    weft::wait_group senders;
    weft::wait_group receivers;
    for (int s = 0; s < 3; ++s)
      senders.go([&channels] {
        for (int i = 1; i <= 20000; ++i)
          weft::select(weft::on_send(channels[0], counted(i)),
                       weft::on_send(channels[1], counted(i)),
                       weft::on_send(channels[2], counted(i)));
      });
    for (int r = 0; r < 3; ++r)
      receivers.go([&, stop] {
        const auto add = [&](std::optional<counted> v) {
          sum.fetch_add(v->value, weft::rt::relaxed);
        };
        for (bool open = true; open;)
          weft::select(weft::on_recv(channels[2], add), weft::on_recv(channels[0], add),
                       weft::on_recv(channels[1], add), weft::on_recv(stop, [&] { open = false; }),
                       weft::after(1h, [] {}));
      });
    senders.wait();
    stop.close();
    receivers.wait();
    for (auto& c : channels)
      while (auto left = c.try_recv()) sum.fetch_add(left->value, weft::rt::relaxed);
    EXPECT_EQ(sum.load(weft::rt::relaxed), int64_t{3} * 20000 * 20001 / 2);
  });
  EXPECT_EQ(counted::alive.load(weft::rt::relaxed), 0);
}

TEST(Select, ShortTimeLimitsAgainstValues) {
  weft::run({.procs = 4}, [] {
    auto c = weft::make_chan<int>();
    auto stop = weft::make_chan<int>();
    int sent = 0;
    auto sender = weft::spawn([&] {
      for (bool on = true; on;)
        weft::select(weft::on_send(c, 1, [&] { ++sent; }), weft::after(20us, [] {}),
                     weft::on_recv(stop, [&] { on = false; }));
    });
    int received = 0;
    for (int i = 0; i < 10000; ++i)
      weft::select(weft::on_recv(c, [&](std::optional<int>) { ++received; }),
                   weft::after(20us, [] {}));
    stop.close();
    sender.join();
    EXPECT_EQ(sent, received);
  });
}

}  // namespace
