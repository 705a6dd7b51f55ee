// SPDX-License-Identifier: Apache-2.0
// Deterministic mode itself: replay, virtual time, deadlocks, planted bugs.
#include "weft/sched/sim.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

#if WEFT_ASAN
#include <sanitizer/lsan_interface.h>
#endif

using namespace std::chrono_literals;

namespace {

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
};

std::string letters() {
  std::string order;
  std::vector<weft::task<void>> tasks;
  for (char c = 'a'; c < 'f'; ++c)
    tasks.push_back(weft::spawn([&order, c] {
      for (int i = 0; i < 3; ++i) {
        order += c;
        weft::yield();
      }
    }));
  for (auto& t : tasks) t.join();
  return order;
}

TEST(Sim, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed : {0ull, 1ull, 42ull, 123456789ull}) {
    std::string first;
    std::string second;
    weft::sim::run(seed, [&] { first = letters(); });
    const uint64_t digest = weft::sim::last_digest();
    weft::sim::run(seed, [&] { second = letters(); });
    EXPECT_EQ(first, second);
    EXPECT_EQ(weft::sim::last_digest(), digest);
  }
}

TEST(Sim, SeedsGiveDifferentSchedules) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 50; ++seed)
    weft::sim::run(seed, [&] { orders.insert(letters()); });
  EXPECT_GT(orders.size(), 45u);
}

TEST(Sim, TimeIsVirtual) {
  const auto wall = std::chrono::steady_clock::now();
  weft::sim::run(1, [] {
    const auto start = weft::now();
    EXPECT_EQ(start.time_since_epoch(), 946684800s);
    auto t = weft::spawn([] { weft::sleep_for(1h); });
    weft::sleep_for(24h);
    EXPECT_EQ(weft::now() - start, 24h);
    t.join();
  });
  EXPECT_LT(std::chrono::steady_clock::now() - wall, 5s);
}

TEST(Sim, ReportsADeadlock) {
  const expect_abandoned leaks;
  try {
    weft::sim::run(3, [] {
      weft::go([] { weft::sleep_for(1h); });  // the clock stands still once the root has returned
    });
    FAIL() << "no failure";
  } catch (const weft::sim::failure& e) {
    EXPECT_EQ(e.seed(), 3u);
    EXPECT_NE(std::string(e.what()).find("main bubble goroutine has exited"), std::string::npos)
        << e.what();
  }
}

TEST(Sim, ReportsThatEverybodyIsBlocked) {
  const expect_abandoned leaks;
  try {
    weft::sim::run(4, [] {
      // Two goroutines that join each other; the root joins one more that waits for them.
      weft::task<void> first;
      weft::task<void> second;
      bool made = false;
      first = weft::spawn({.name = "joins the other"}, [&] {
        while (!made) weft::sleep_for(1s);
        second.join();
      });
      second = weft::spawn([&] {
        while (!made) weft::sleep_for(1s);
        first.join();
      });
      made = true;
      weft::sim::wait();
      weft::sleep_for(1h);
      weft::rt::section entered(weft::rt::may_park);
      weft::rt::park(nullptr, nullptr, weft::rt::wait_reason::semacquire, nullptr);
    });
    FAIL() << "no failure";
  } catch (const weft::sim::failure& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("deadlock: all goroutines in bubble are blocked"), std::string::npos);
    EXPECT_NE(text.find("[join, joins the other]"), std::string::npos) << text;
  }
}

TEST(Sim, ReportsAnExceptionThatLeavesAGoroutine) {
  const expect_abandoned leaks;
  EXPECT_THROW(weft::sim::run(9,
                              [] {
                                weft::go([] { throw std::runtime_error("lost"); });
                                weft::sleep_for(1s);
                              }),
               weft::sim::failure);
  weft::sim::run(10, [] {});  // the next world is clean
}

TEST(Sim, FindsAPlantedRace) {
  // Read, yield, write: a lost update that needs a particular order.
  uint64_t found = UINT64_MAX;
  for (uint64_t seed = 0; seed < 100 && found == UINT64_MAX; ++seed) {
    int counter = 0;
    weft::sim::run(seed, [&] {
      auto bump = [&] {
        const int seen = counter;
        weft::yield();
        counter = seen + 1;
      };
      auto a = weft::spawn(bump);
      auto b = weft::spawn(bump);
      a.join();
      b.join();
    });
    if (counter == 1) found = seed;
  }
  EXPECT_LT(found, 20u);
}

TEST(Sim, WaitReturnsWhenAllOthersAreBlocked) {
  weft::sim::explore(50, [] {
    int steps = 0;
    auto t = weft::spawn([&] {
      for (int i = 0; i < 5; ++i) {
        ++steps;
        weft::yield();
      }
      weft::sleep_for(1h);
    });
    weft::sim::wait();
    EXPECT_EQ(steps, 5);
    t.join();
  });
}

TEST(Sim, RefusesASecondWorld) {
  weft::run([] { EXPECT_THROW(weft::sim::run(1, [] {}), weft::panic_error); });
  weft::sim::run(1, [] { EXPECT_THROW(weft::sim::run(2, [] {}), weft::panic_error); });
}

}  // namespace
