// SPDX-License-Identifier: Apache-2.0
// What does not cooperate: blocking calls, announced or not, and computing goroutines. Others go
// on.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

using namespace std::chrono_literals;

namespace {

/// A system call that blocks until somebody writes: without a retake nobody ever would.
struct gate {
  int ends[2] = {-1, -1};
  gate() { EXPECT_EQ(pipe(ends), 0); }
  ~gate() {
    close(ends[0]);
    close(ends[1]);
  }
  void wait() const {
    char byte = 0;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
  }
  void open() const { EXPECT_EQ(write(ends[1], "x", 1), 1); }
};

TEST(Stall, UnannouncedBlockingOnTheOnlyPIsRescued) {
  weft::run({.procs = 1}, [] {
    const gate g;
    auto opener = weft::spawn([&] { g.open(); });
    g.wait();
    opener.join();
  });
}

TEST(Stall, AnnouncedBlockingReturnsItsValue) {
  weft::run({.procs = 1}, [] {
    const gate g;
    weft::go([&] { g.open(); });
    const int value = weft::blocking([&] {
      g.wait();
      return 5;
    });
    EXPECT_EQ(value, 5);
  });
}

TEST(Stall, AllPsBlockedAtOnce) {
  weft::run({.procs = 2}, [] {
    const gate g;
    std::vector<weft::task<void>> tasks;
    for (int i = 0; i < 8; ++i) tasks.push_back(weft::spawn([&] { g.wait(); }));
    auto opener = weft::spawn([&] {
      for (int i = 0; i < 8; ++i) g.open();
    });
    for (auto& t : tasks) t.join();
    opener.join();
  });
}

TEST(Stall, ComputingOnTheOnlyPIsRescued) {
  weft::run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    weft::go([&] { stop = true; });
    while (!stop) {  // no runtime call: only the retake helps
    }
  });
}

TEST(Stall, RobbedThreadsThatIdleDoNotCountAgainstTheLimit) {
  // The end of a run robs every computing thread. Their goroutines end then, and the threads idle
  // without a P: they must not use up the limit of robbed ones, else no hog is rescued any more.
  constexpr int hogs = 8;
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  std::atomic<bool> stop{false};
  weft::run({.procs = hogs + 1}, [&] {
    for (int i = 0; i < hogs; ++i)
      weft::go([&] {
        ++started;
        while (!stop) {
        }
        ++ended;
      });
    while (started < hogs) weft::yield();
  });
  stop = true;
  while (ended < hogs) std::this_thread::yield();
  weft::run({.procs = 1}, [] {
    std::atomic<bool> rescued{false};
    weft::go([&] { rescued = true; });
    while (!rescued) {
    }
  });
}

TEST(Stall, AComputingGoroutineThatCallsTheRuntimeYields) {
  weft::run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::atomic<int> turns{0};
    auto other = weft::spawn([&] {
      while (!stop) {
        ++turns;
        weft::yield();
      }
    });
    // Leaf and parking calls that never park: the request posted by sysmon is honoured there.
    while (turns < 20)
      (void)weft::num_goroutine(), weft::sleep_for(0ns), (void)weft::goroutine_id();
    stop = true;
    other.join();
  });
}

TEST(Stall, TimersOfAHoggedPFire) {
  weft::run({.procs = 1}, [] {
    std::atomic<bool> fired{false};
    weft::go([&] {
      weft::sleep_for(1ms);
      fired = true;
    });
    weft::yield();
    while (!fired) {
    }
  });
}

TEST(Stall, ARobbedGoroutineKeepsItsStdMutex) {
  weft::run({.procs = 1}, [] {
    std::mutex lock;
    std::atomic<bool> held{false};
    const gate g;
    auto holder = weft::spawn([&] {
      const std::scoped_lock hold(lock);
      held = true;
      g.wait();
      weft::go([] {});  // a leaf call as a guest: must not lose the thread that holds the mutex
      (void)weft::goroutine_id();
    });
    while (!held) weft::yield();
    g.open();
    holder.join();
    const std::scoped_lock hold(lock);
  });
}

TEST(Stall, BlockingStormLosesNothing) {
  weft::run({.procs = 2}, [] {
    std::atomic<int> done{0};
    for (int i = 0; i < 64; ++i)
      weft::go([&, i] {
        for (int round = 0; round < 5; ++round) {
          pollfd none{-1, 0, 0};
          poll(&none, 1, i % 2);  // 0 or 1 ms in the kernel
          weft::yield();
          weft::sleep_for(50us);
        }
        ++done;
      });
    while (done != 64) weft::sleep_for(1ms);
  });
}

TEST(Guests, ForeignThreadsSpawnYieldAndSleep) {
  weft::run({.procs = 2}, [] {
    std::atomic<int> ran{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        EXPECT_EQ(weft::goroutine_id(), 0u);
        for (int i = 0; i < 200; ++i) weft::go([&] { ++ran; });
        weft::yield();
        weft::sleep_for(1ms);
      });
    weft::blocking([&] {
      for (auto& t : threads) t.join();
    });
    while (ran != 800) weft::yield();
  });
}

TEST(Guests, AThreadUnknownToWeftMayStillWakeEverybody) {
  // Everybody is asleep, yet it is no deadlock: the thread has not called Weft so far, and will.
  weft::run({.procs = 2}, [] {
    const gate g;
    std::atomic<weft::rt::goroutine*> self{nullptr};
    std::thread stranger([&] {
      g.wait();
      const weft::rt::section entered;
      weft::rt::ready(self);
    });
    {
      const weft::rt::section entered(weft::rt::may_park);
      self = weft::rt::current();
      weft::rt::park(
          [](weft::rt::goroutine*, void* argument) noexcept {
            static_cast<const gate*>(argument)->open();
            return true;
          },
          const_cast<gate*>(&g), weft::rt::wait_reason::semacquire, nullptr);
    }
    stranger.join();
  });
}

TEST(SpareMachine, ThreadsDoNotPileUp) {
  weft::run({.procs = 2}, [] {
    std::atomic<int> done{0};
    for (int round = 0; round < 50; ++round)
      weft::go([&] {
        pollfd none{-1, 0, 0};
        poll(&none, 1, 1);
        ++done;
      });
    while (done != 50) weft::sleep_for(1ms);
    EXPECT_LE(weft::rt::sched.machine_count.load(weft::rt::relaxed), 60);
  });
}

}  // namespace
