// SPDX-License-Identifier: Apache-2.0
// Timers on the heaps of several Ps.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

namespace {

using weft::rt::section;

constexpr int64_t hour_ns = int64_t{3600} * 1'000'000'000;

/// Its function runs until it is let go.
struct slow_timer {
  weft::rt::timer_node node;
  std::atomic<bool> started{false};
  std::atomic<bool> let_go{false};
  std::atomic<bool> done{false};
  slow_timer() {
    node.argument = this;
    node.fire = [](weft::rt::timer_node* self, int64_t) noexcept {
      auto& t = *static_cast<slow_timer*>(self->argument);
      t.started = true;
      while (!t.let_go) std::this_thread::yield();
      t.done = true;
    };
  }
};

/// Arms it on the second P's heap: two goroutines that compute at the same time, so one is there.
void arm_on_second_p(slow_timer& t) {
  std::atomic<int> running{0};
  std::atomic<bool> claimed{false};
  const auto compute = [&] {
    for (++running; running != 2;) std::this_thread::yield();
    while (!claimed) {
      const section s;
      const weft::rt::processor* pp = weft::rt::this_machine()->p;
      if (pp != nullptr && pp->id == 1 && !claimed.exchange(true))
        weft::rt::arm(t.node, weft::rt::now_ns());
    }
  };
  auto one = weft::spawn(compute);
  auto other = weft::spawn(compute);
  one.join();
  other.join();
}

// A foreign thread's timers go to the first P's heap. That this one still fires out of the second's
// must not be forgotten.
TEST(Timers, ATimerThatIsSetAnewWhileItFiresIsWaitedFor) {
  weft::run({.procs = 2}, [] {
    slow_timer t;
    arm_on_second_p(t);
    std::atomic<bool> waits{false};
    std::thread stopper([&] {
      while (!t.started) std::this_thread::yield();
      const section s;
      EXPECT_FALSE(weft::rt::rearm(t.node, weft::rt::now_ns() + hour_ns));
      waits = true;
      EXPECT_TRUE(weft::rt::disarm_wait(t.node));
      EXPECT_TRUE(t.done);
    });
    std::thread opener([&] {
      while (!waits) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      t.let_go = true;
    });
    weft::blocking([&] {
      stopper.join();
      opener.join();
    });
  });
}

}  // namespace
