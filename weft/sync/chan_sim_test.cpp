// SPDX-License-Identifier: Apache-2.0
// Channels and select under seeded schedules: every runtime call may switch.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

using weft::sim_testing::explore;

void every_value_arrives_once(int64_t capacity) {
  explore([=] {
    auto c = weft::make_chan<std::unique_ptr<int>>(capacity);
    std::vector<int> seen(30);
    weft::wait_group senders;
    weft::wait_group receivers;
    for (int s = 0; s < 3; ++s)
      senders.go([=] {
        for (int i = 0; i < 10; ++i) c.send(std::make_unique<int>(s * 10 + i));
      });
    for (int r = 0; r < 2; ++r)
      receivers.go([&seen, c] {
        std::vector<int> last(3, -1);
        for (std::unique_ptr<int> v : c) {
          ++seen[static_cast<size_t>(*v)];
          int& before = last[static_cast<size_t>(*v / 10)];
          EXPECT_LT(before, *v);  // of one sender, in order
          before = *v;
        }
      });
    senders.wait();
    c.close();
    receivers.wait();
    for (int n : seen) EXPECT_EQ(n, 1);
  });
}

TEST(ChanSim, EveryValueArrivesOnceUnbuffered) { every_value_arrives_once(0); }
TEST(ChanSim, EveryValueArrivesOnceBuffered) { every_value_arrives_once(3); }

TEST(ChanSim, CloseRacesWithSendersAndReceivers) {
  explore([] {
    auto c = weft::make_chan<int>(1);
    std::atomic<int> sent{0};
    int received = 0;
    weft::wait_group all;
    for (int s = 0; s < 3; ++s)
      all.go([&sent, c] {
        try {
          for (int i = 0; i < 5; ++i) {
            c.send(i);
            ++sent;
          }
        } catch (const weft::panic_error& e) {
          EXPECT_STREQ(e.what(), "send on closed channel");
        }
      });
    all.go([&received, c] {
      for (int v : c) {
        (void)v;
        ++received;
      }
    });
    all.go([=] {
      weft::yield();
      // Closing beside a send is a misuse that ThreadSanitizer reports; here it is meant.
      const weft::rt::sanitizer::unseen_accesses meant;
      c.close();
    });
    all.wait();
    EXPECT_EQ(sent, received);  // what was sent arrives, also after the close
  });
}

TEST(ChanSim, TryOperationsNeverLoseOrInvent) {
  explore([] {
    auto c = weft::make_chan<int>(2);
    int sum_sent = 0;
    int sum_received = 0;
    auto sender = weft::spawn([&] {
      for (int i = 1; i <= 20; ++i) {
        if (c.try_send(i)) sum_sent += i;
        weft::yield();
      }
      c.close();
    });
    for (bool closed = false; !closed;) {
      if (const auto v = c.try_recv(closed)) sum_received += *v;
      weft::yield();
    }
    sender.join();
    EXPECT_EQ(sum_sent, sum_received);
  });
}

TEST(SelectSim, TwoSelectsMeetInBothDirections) {
  explore([] {
    auto a = weft::make_chan<int>();
    auto b = weft::make_chan<int>(1);
    std::atomic<int> balance{0};
    std::atomic<int> done{0};
    auto body = [&] {
      for (int i = 0; i < 10; ++i) {
        weft::select(weft::on_send(a, 1, [&] { ++balance; }),
                     weft::on_recv(a, [&](std::optional<int> v) { balance -= *v; }),
                     weft::on_send(b, 1, [&] { ++balance; }),
                     weft::on_recv(b, [&](std::optional<int> v) { balance -= *v; }));
      }
      ++done;
    };
    auto x = weft::spawn(body);
    auto y = weft::spawn(body);
    // Whoever is left alone may need a partner.
    while (done < 2) {
      weft::select(weft::on_send(a, 1, [&] { ++balance; }), weft::otherwise());
      weft::select(weft::on_recv(a, [&](std::optional<int> v) { balance -= *v; }),
                   weft::otherwise());
      weft::yield();
    }
    x.join();
    y.join();
    balance -= static_cast<int>(b.len());
    EXPECT_EQ(balance, 0);
  });
}

TEST(SelectSim, TimeLimitAgainstAValueAtTheSameMoment) {
  explore([] {
    auto c = weft::make_chan<int>();
    int sent = 0;
    int received = 0;
    auto sender = weft::spawn([&] {
      for (int i = 0; i < 5; ++i) {
        weft::sleep_for(10ms);
        weft::select(weft::on_send(c, i, [&] { ++sent; }), weft::after(5ms, [] {}));
      }
    });
    int limits = 0;
    for (int i = 0; i < 5; ++i)
      weft::select(weft::on_recv(c, [&](std::optional<int>) { ++received; }),
                   weft::after(10ms, [&] { ++limits; }));
    sender.join();
    EXPECT_EQ(sent, received);
    EXPECT_EQ(received + limits, 5);
  });
}

TEST(SelectSim, CloseWakesASelectOnManyChannels) {
  explore([] {
    std::vector<weft::chan<int>> channels;
    for (int i = 0; i < 3; ++i) channels.push_back(weft::make_chan<int>());
    weft::wait_group all;
    for (auto& c : channels) all.go([c] { c.close(); });
    all.go([=] {
      auto open = channels;
      for (int left = 3; left > 0; --left) {
        const int which =
            weft::select(weft::on_recv(open[0]), weft::on_recv(open[1]), weft::on_recv(open[2]));
        open[static_cast<size_t>(which)] = nullptr;  // Go's way to switch a case off
      }
      EXPECT_EQ(weft::select(weft::on_recv(open[0]), weft::on_recv(open[1]), weft::on_recv(open[2]),
                             weft::otherwise()),
                3);
    });
    all.wait();
  });
}

}  // namespace
