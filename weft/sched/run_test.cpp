// SPDX-License-Identifier: Apache-2.0
// weft::run, go, spawn and join: life of goroutines as users see it.
#include "weft/sched/run.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/local.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/task.hpp"

using namespace std::chrono_literals;

namespace {

TEST(Run, ReturnsTheIntOfMain) {
  EXPECT_EQ(weft::run([] { return 7; }), 7);
  EXPECT_EQ(weft::run([] {}), 0);
}

TEST(Run, DoesNotWaitForOthers) {
  auto stop = std::make_shared<std::atomic<bool>>(false);
  auto ended = std::make_shared<std::atomic<bool>>(false);
  weft::run({.procs = 1}, [=] {
    weft::go([=] {
      while (!*stop) weft::sleep_for(1ms);
      *ended = true;
    });
  });
  EXPECT_FALSE(*ended);
  weft::run({.procs = 1}, [=] {
    *stop = true;
    while (!*ended) weft::yield();
  });
}

TEST(Run, GoroutinesLeftBehindGoOnInTheNextRun) {
  auto rounds = std::make_shared<std::atomic<int>>(0);
  auto ended = std::make_shared<std::atomic<bool>>(false);
  auto stop = std::make_shared<std::atomic<bool>>(false);
  weft::run({.procs = 2}, [=] {
    weft::go([=] {
      while (!*stop) {
        ++*rounds;
        weft::yield();
      }
      *ended = true;
    });
    while (*rounds == 0) weft::yield();
  });
  const int between = *rounds;
  weft::run({.procs = 2}, [=] {
    while (*rounds <= between + 10) weft::yield();
    *stop = true;
    while (!*ended) weft::yield();
  });
}

TEST(Run, RefusesToNest) {
  weft::run([] { EXPECT_THROW(weft::run([] {}), weft::panic_error); });
}

TEST(Run, RefusesBadProcs) {
  EXPECT_THROW(weft::run({.procs = 1025}, [] {}), weft::panic_error);
  EXPECT_THROW(weft::run({.procs = -1}, [] {}), weft::panic_error);
}

TEST(Go, RunsManyOnEveryNumberOfPs) {
#if WEFT_TSAN
  // ThreadSanitizer ends a program with more than 8,128 threads and goroutines at a time, and each
  // takes it a millisecond.
  constexpr int count = 5000, alive_max = 4000;
#else
  constexpr int count = 20000, alive_max = 20000;
#endif
  for (int procs : {1, 2, 4, 8}) {
    std::atomic<int> ran{0};
    weft::run({.procs = procs}, [&] {
      for (int i = 0; i < count; ++i) {
        while (i - ran >= alive_max) weft::yield();
        weft::go([&] { ++ran; });
      }
      while (ran != count) weft::yield();
    });
    EXPECT_EQ(ran, count);
  }
}

TEST(Go, TakesMoveOnlyAndLargeClosures) {
  weft::run([] {
    auto number = std::make_unique<int>(5);
    auto t = weft::spawn([n = std::move(number)] { return *n; });
    EXPECT_EQ(t.join(), 5);
    std::array<char, 5000> big{};
    big[4999] = 'x';
    auto u = weft::spawn([big] { return big[4999]; });
    EXPECT_EQ(u.join(), 'x');
  });
}

/// A closure is put on a stack whose former owner's last frames never returned; AddressSanitizer
/// remembers their redzones, wherever these were.
template <size_t Bytes>
void closure_on_a_used_stack() {
  weft::spawn([] {}).join();
  std::array<unsigned char, Bytes> bytes{};
  bytes.back() = 7;
  // A vector, so that the closure is not copied by bytes.
  EXPECT_EQ(
      weft::spawn([bytes, more = std::vector<int>(3)] { return bytes.back() + more[0]; }).join(),
      7);
}

TEST(Go, PutsClosuresOfEverySizeOnUsedStacks) {
  weft::run({.procs = 1}, [] {
    [&]<size_t... I>(std::index_sequence<I...>) {
      (closure_on_a_used_stack<8 + 16 * I>(), ...);
    }(std::make_index_sequence<55>());
  });
}

TEST(Go, HonoursTheStackSize) {
  weft::run([] {
    // 900 KiB of frame: fits one MiB only.
    auto t = weft::spawn({.name = "deep", .stack = 1 << 20}, [] {
      char frame[900 * 1024];
      for (size_t i = 0; i < sizeof frame; i += 4096) frame[i] = 1;
      asm volatile("" ::"r"(frame) : "memory");
      return frame[4096];
    });
    EXPECT_EQ(t.join(), 1);
  });
}

TEST(Go, ClosureIsDestroyedWhenTheGoroutineEnds) {
  auto token = std::make_shared<int>(1);
  weft::run([&] {
    weft::spawn([token] {}).join();
    while (token.use_count() != 1) weft::yield();
  });
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Go, AThrowingCopyGivesTheGoroutineBack) {
  struct thrower {
    thrower() = default;
    thrower(const thrower&) { throw std::runtime_error("copy"); }
    void operator()() const {}
  };
  weft::run([] {
    const thrower t;
    const int64_t before = weft::num_goroutine();
    for (int i = 0; i < 100; ++i) EXPECT_THROW(weft::go(t), std::runtime_error);
    // Not more: one of an earlier run's may have ended meanwhile.
    EXPECT_LE(weft::num_goroutine(), before);
  });
}

TEST(Spawn, JoinDeliversResultOrException) {
  weft::run([] {
    EXPECT_EQ(weft::spawn([] { return std::string("value"); }).join(), "value");
    weft::spawn([] {}).join();
    auto failing = weft::spawn([]() -> int { throw std::out_of_range("far"); });
    EXPECT_THROW((void)failing.join(), std::out_of_range);
    EXPECT_THROW((void)failing.join(), weft::panic_error);
  });
}

TEST(Spawn, JoinFromAForeignThread) {
  weft::run({.procs = 2}, [] {
    std::atomic<bool> finished{false};
    std::thread foreign([&] {
      auto t = weft::spawn([] {
        weft::sleep_for(1ms);
        return 11;
      });
      EXPECT_EQ(t.join(), 11);
      finished = true;
    });
    while (!finished) weft::yield();
    foreign.join();
  });
}

TEST(Go, NumGoroutineCountsLiveOnes) {
  weft::run({.procs = 2}, [] {
    const int64_t before = weft::num_goroutine();  // main and what earlier runs left behind
    std::atomic<bool> stop{false};
    std::vector<weft::task<void>> tasks;
    for (int i = 0; i < 15; ++i)
      tasks.push_back(weft::spawn([&] {
        while (!stop) weft::yield();
      }));
    // Those of earlier runs may end meanwhile.
    EXPECT_LE(weft::num_goroutine(), before + 15);
    EXPECT_GE(weft::num_goroutine(), 16);
    stop = true;
    for (auto& t : tasks) t.join();
    while (weft::num_goroutine() > before) weft::yield();
  });
}

TEST(Exceptions, StayWithTheirGoroutineAcrossYieldsInHandlers) {
  // Boost.Fiber 1.81, Photon and libgo rethrow the other fiber's exception here.
  weft::run({.procs = 4}, [] {
    std::vector<weft::task<int>> tasks;
    for (int i = 0; i < 64; ++i) {
      tasks.push_back(weft::spawn([i] {
        int seen = -1;
        for (int round = 0; round < 50; ++round) {
          try {
            try {
              throw i;
            } catch (...) {
              weft::yield();
              weft::yield();
              throw;
            }
          } catch (int caught) {
            seen = caught;
            if (caught != i) return -1;
            EXPECT_EQ(std::uncaught_exceptions(), 0);
          }
        }
        return seen;
      }));
    }
    for (int i = 0; i < 64; ++i) EXPECT_EQ(tasks[static_cast<size_t>(i)].join(), i);
  });
}

TEST(Exceptions, DestructorsMayParkWhileUnwinding) {
  struct parks {
    ~parks() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      weft::yield();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  weft::run({.procs = 2}, [] {
    std::vector<weft::task<void>> tasks;
    for (int i = 0; i < 16; ++i)
      tasks.push_back(weft::spawn([] {
        const parks p;
        throw std::runtime_error("unwinds");
      }));
    for (auto& t : tasks) EXPECT_THROW(t.join(), std::runtime_error);
  });
}

// Functions of their own: compilers keep the address of errno, which is the thread's, across calls.
[[gnu::noinline]] void set_errno(int value) {
  errno = value;
  asm volatile("" ::: "memory");
}
[[gnu::noinline]] int get_errno() {
  asm volatile("" ::: "memory");
  return errno;
}

TEST(Goroutine, KeepsItsErrnoAndRoundingMode) {
  weft::run({.procs = 2}, [] {
    std::atomic<int> wrong{0};
    std::atomic<int> done{0};
    for (int g = 0; g < 8; ++g) {
      weft::go([&, g] {
        const int mode = g % 2 == 0 ? FE_UPWARD : FE_DOWNWARD;
        std::fesetround(mode);
        for (int i = 0; i < 200; ++i) {
          set_errno(100 + g);
          weft::yield();
          if (std::fegetround() != mode || get_errno() != 100 + g) ++wrong;
        }
        ++done;
      });
    }
    while (done != 8) weft::yield();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    EXPECT_EQ(wrong, 0);
  });
}

TEST(Local, IsPerGoroutineAndEndsWithIt) {
  static std::atomic<int> alive{0};
  struct counted {
    counted() { ++alive; }
    counted(counted&&) noexcept { ++alive; }
    ~counted() { --alive; }
    int value = 0;
  };
  static weft::local<counted> mine;
  static weft::local<int> numbered([] { return 40; });
  weft::run({.procs = 2}, [] {
    std::vector<weft::task<int>> tasks;
    for (int i = 0; i < 32; ++i)
      tasks.push_back(weft::spawn([i] {
        mine->value = i;
        *numbered += 2;
        for (int round = 0; round < 20; ++round) weft::yield();
        return mine->value == i && *numbered == 42 ? 1 : 0;
      }));
    int right = 0;
    for (auto& t : tasks) right += t.join();
    EXPECT_EQ(right, 32);
    while (alive != 0) weft::yield();
  });
  EXPECT_EQ(alive, 0);
}

TEST(Sleep, NeverEarly) {
  weft::run({.procs = 2}, [] {
    const auto start = weft::now();
    weft::sleep_for(3ms);
    EXPECT_GE(weft::now() - start, 3ms);
    weft::sleep_for(0ms);
    weft::sleep_for(-5ms);
    weft::sleep_until(start);
    std::atomic<int> early{0};
    std::vector<weft::task<void>> tasks;
    for (int i : {3, 1, 2, 0})
      tasks.push_back(weft::spawn([&, i] {
        weft::sleep_until(start + 10ms + i * 5ms);
        if (weft::now() < start + 10ms + i * 5ms) ++early;
      }));
    for (auto& t : tasks) t.join();
    EXPECT_EQ(early, 0);
  });
}

TEST(Sleep, InOrderOfTheDeadlines) {
  weft::sim::explore(100, [] {  // the virtual clock: how late a thread runs plays no part
    const auto start = weft::now();
    std::atomic<int> next{0};
    std::vector<weft::task<void>> tasks;
    for (int i : {3, 1, 2, 0})
      tasks.push_back(weft::spawn([&, i] {
        weft::sleep_until(start + 1ms + i * 1ms);
        EXPECT_EQ(next++, i);
      }));
    for (auto& t : tasks) t.join();
    EXPECT_EQ(next, 4);
  });
}

TEST(MaxProcs, ChangesWhileGoroutinesRun) {
  weft::run({.procs = 2}, [] {
    EXPECT_EQ(weft::maxprocs(0), 2);
    std::atomic<bool> stop{false};
    std::atomic<long> work{0};
    std::vector<weft::task<void>> tasks;
    for (int i = 0; i < 20; ++i)
      tasks.push_back(weft::spawn([&] {
        while (!stop) {
          ++work;
          weft::sleep_for(10us);
          weft::yield();
        }
      }));
    for (int n : {1, 8, 3, 1, 5, 2}) {
      const int before = weft::maxprocs(n);
      EXPECT_GE(before, 1);
      EXPECT_EQ(weft::maxprocs(0), n);
      const long seen = work;
      while (work < seen + 200) weft::yield();
    }
    stop = true;
    for (auto& t : tasks) t.join();
    EXPECT_THROW(weft::maxprocs(2000), weft::panic_error);
  });
}

TEST(MaxProcs, ChangesNothingBetweenRuns) {
  weft::run({.procs = 2}, [] {});
  EXPECT_EQ(weft::maxprocs(1), 2);
  EXPECT_EQ(weft::maxprocs(0), 2);
  // Also of a thread that asks while runs begin and end.
  std::atomic<bool> stop{false};
  std::thread asking([&] {
    for (int n = 1; !stop; n = n % 4 + 1) (void)weft::maxprocs(n);
  });
  for (int i = 0; i < 50; ++i) {
    weft::run({.procs = 3}, [] { weft::sleep_for(100us); });  // the other thread's turn
  }
  stop = true;
  asking.join();
  weft::run({.procs = 2}, [] { EXPECT_EQ(weft::maxprocs(0), 2); });
}

}  // namespace
