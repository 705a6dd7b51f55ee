// SPDX-License-Identifier: Apache-2.0
// Deterministic mode itself: replay, virtual time, deadlocks, planted bugs.
#include "weft/sched/sim.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/internal/timer_node.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"

using namespace std::chrono_literals;

namespace {

using weft::sim_testing::expect_abandoned;

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

constexpr weft::sim::strategy every_strategy[] = {
    weft::sim::strategy::mixed, weft::sim::strategy::uniform, weft::sim::strategy::pct,
    weft::sim::strategy::delay_bounded, weft::sim::strategy::round_robin};

TEST(Sim, TheSameSeedGivesTheSameRunByEveryStrategy) {
  for (const auto strategy : every_strategy)
    for (uint64_t seed = 0; seed < 200; ++seed) {
      std::string first;
      std::string second;
      const weft::sim::options how{
          .seed = seed, .strategy = strategy, .faults = weft::sim::harmless_faults};
      weft::sim::run(how, [&] { first = letters(); });
      const uint64_t digest = weft::sim::last_digest();
      const uint64_t steps = weft::sim::last_steps();
      weft::sim::run(how, [&] { second = letters(); });
      EXPECT_EQ(first, second);
      EXPECT_EQ(weft::sim::last_digest(), digest);
      EXPECT_EQ(weft::sim::last_steps(), steps);
    }
}

TEST(Sim, SeedsGiveDifferentSchedules) {
  const auto different = [](weft::sim::strategy strategy) {
    std::set<std::string> orders;
    for (uint64_t seed = 0; seed < 50; ++seed)
      weft::sim::run({.seed = seed, .strategy = strategy}, [&] { orders.insert(letters()); });
    return orders.size();
  };
  EXPECT_GT(different(weft::sim::strategy::mixed), 30u);
  EXPECT_GT(different(weft::sim::strategy::uniform), 45u);
  EXPECT_GT(different(weft::sim::strategy::pct), 20u);
  EXPECT_GT(different(weft::sim::strategy::delay_bounded), 10u);
  EXPECT_GT(different(weft::sim::strategy::round_robin), 8u);
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

/// What a failing run says; empty if it does not fail.
template <class F>
std::string failure_of(const weft::sim::options& how, F&& f) {
  try {
    weft::sim::run(how, f);
  } catch (const weft::sim::failure& e) {
    return e.what();
  }
  return {};
}

TEST(Sim, ALivelockMeetsTheLimitOfSteps) {
  const expect_abandoned leaks;
  for (const auto strategy : every_strategy) {
    const std::string text = failure_of({.strategy = strategy, .steps_max = 20'000}, [] {
      auto t = weft::spawn({.name = "spins"}, [] {
        for (;;) weft::yield();
      });
      t.join();
    });
    EXPECT_NE(text.find("livelock: the run has not ended after 20000 steps (options.steps_max)"),
              std::string::npos);
    EXPECT_NE(text.find("[runnable, spins]"), std::string::npos) << text;
    EXPECT_NE(text.find("goroutine 2 (spins) yields; "), std::string::npos) << text;
  }
}

TEST(Sim, AnEndlessTickerIsALivelockToo) {
  const expect_abandoned leaks;
  const std::string text = failure_of({.steps_max = 1000}, [] {
    static weft::rt::timer_node ticker;
    ticker.fire = [](weft::rt::timer_node*, int64_t) noexcept {};
    weft::rt::section entered(weft::rt::may_park);
    weft::rt::arm(ticker, weft::rt::now_ns() + 1, 1);
    weft::rt::park(nullptr, nullptr, weft::rt::wait_reason::semacquire, nullptr);
  });
  EXPECT_NE(text.find("livelock"), std::string::npos) << text;
}

TEST(Sim, WhoeverSpinsGetsWhatItWaitsForInEveryStrategy) {
  for (const auto strategy : every_strategy)
    for (uint64_t seed = 0; seed < 100; ++seed)
      weft::sim::run({.seed = seed, .strategy = strategy, .steps_max = 100'000}, [] {
        bool done = false;
        auto spins = weft::spawn([&] {
          while (!done) weft::rt::sim_point();
        });
        auto sets = weft::spawn([&] {
          weft::yield();
          done = true;
        });
        spins.join();
        sets.join();
      });
}

TEST(Sim, TheScheduleThatAFailureTellsFailsAgain) {
  const expect_abandoned leaks;
  const auto impatient = [] {
    bool moved = false;
    auto owner = weft::spawn([&] {
      weft::yield();
      moved = true;
    });
    for (int i = 0; i < 12; ++i) {
      if (moved) break;
      weft::rt::sim_point();
      if (i == 11) throw std::runtime_error("impatient");
    }
    owner.join();
  };
  using weft::sim::strategy;
  for (const strategy by : {strategy::pct, strategy::delay_bounded}) {
    uint64_t seed = 0;
    std::string first;
    while (first.empty() && ++seed < 1000)
      first = failure_of({.seed = seed, .strategy = by, .length = 20}, impatient);
    const size_t at = first.find(".depth = ");
    ASSERT_NE(at, std::string::npos) << first;
    const auto depth = static_cast<uint32_t>(std::stoul(first.substr(at + 9)));
    EXPECT_EQ(failure_of({.seed = seed, .strategy = by, .depth = depth, .length = 20}, impatient),
              first);
  }
}

TEST(Sim, ExploreRepeatsASeedThatDependsOnTheMeasuredLength) {
  // Seeds of pct and delay-bounded spread their points over the length of seed 0's run.
  std::vector<uint64_t> alone;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    ::setenv("WEFT_SEED", std::to_string(seed).c_str(), 1);
    weft::sim::explore(1000, [] { (void)letters(); });
    alone.push_back(weft::sim::last_digest());
  }
  ::unsetenv("WEFT_SEED");
  std::vector<uint64_t> in_one_go;
  for (uint64_t upto = 1; upto <= 32; ++upto) {
    weft::sim::explore(upto, [] { (void)letters(); });
    in_one_go.push_back(weft::sim::last_digest());
  }
  EXPECT_EQ(alone, in_one_go);
}

TEST(Sim, TheEnvironmentMultipliesAndShares) {
  const auto count = [] {
    int runs = 0;
    weft::sim::explore({.seed = 1, .seeds = 10, .strategy = weft::sim::strategy::uniform},
                       [&] { ++runs; });
    return runs;
  };
  EXPECT_EQ(count(), 10);
  ::setenv("WEFT_SIM_SEEDS", "3", 1);
  EXPECT_EQ(count(), 30);
  ::setenv("WEFT_SIM_SHARD", "1/4", 1);
  EXPECT_EQ(count(), 8);  // numbers 1, 5, ... 29
  ::setenv("WEFT_SIM_SHARD", "4/4", 1);
  EXPECT_THROW(count(), weft::panic_error);
  ::unsetenv("WEFT_SIM_SHARD");
  ::setenv("WEFT_SIM_SEEDS", "many", 1);
  EXPECT_THROW(count(), weft::panic_error);
  ::unsetenv("WEFT_SIM_SEEDS");
}

TEST(Sim, TimersOfTheSameMomentFireInAnyOrder) {
  const auto orders = [](const weft::sim::faults& faults) {
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 100; ++seed) {
      static std::string order;
      order.clear();
      weft::sim::run({.seed = seed, .faults = faults}, [] {
        weft::rt::timer_node nodes[3];
        char letters[] = "abc";
        const int64_t when = weft::rt::now_ns() + 1000;
        for (int i = 0; i < 3; ++i) {
          nodes[i].argument = &letters[i];
          nodes[i].fire = [](weft::rt::timer_node* self, int64_t) noexcept {
            order += *static_cast<char*>(self->argument);
          };
          const weft::rt::section entered;
          weft::rt::arm(nodes[i], when);
        }
        weft::sleep_for(1ms);
      });
      seen.insert(order);
    }
    return seen.size();
  };
  EXPECT_EQ(orders({}), 1u);
  EXPECT_EQ(orders({.timer_ties = true}), 6u);
}

TEST(Sim, ChoicesOfATestComeFromTheSeed) {
  const auto numbers = [](uint64_t seed) {
    std::string text;
    weft::sim::run(seed, [&] {
      for (int i = 0; i < 8; ++i) text += std::to_string(weft::sim::pick(1000)) + " ";
      for (int i = 0; i < 8; ++i) text += weft::sim::chance(2) ? 'y' : 'n';
    });
    return text;
  };
  EXPECT_EQ(numbers(5), numbers(5));
  EXPECT_NE(numbers(5), numbers(6));
  EXPECT_EQ(weft::sim::pick(1000), 0u);
  EXPECT_FALSE(weft::sim::chance(1));
}

TEST(Sim, RefusesASecondWorld) {
  weft::run([] { EXPECT_THROW(weft::sim::run(1, [] {}), weft::panic_error); });
  weft::sim::run(1, [] { EXPECT_THROW(weft::sim::run(2, [] {}), weft::panic_error); });
}

}  // namespace
