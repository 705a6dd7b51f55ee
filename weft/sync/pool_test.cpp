// SPDX-License-Identifier: Apache-2.0
// Pools: what get and put answer, beside a model; growing old; everything that moves goroutines,
// Ps and threads at once, with each object in one hand.
#include "weft/sync/pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "weft/base/sanitizer.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

/// Counts itself, and cannot be moved.
struct thing {
  inline static std::atomic<int> alive{0};
  inline static std::atomic<int> made{0};
  thing() {
    ++alive;
    ++made;
  }
  explicit thing(int n) : thing() { number = n; }
  ~thing() {
    EXPECT_EQ(hands.load(), 0) << "destroyed while somebody has it";
    --alive;
  }
  thing(const thing&) = delete;
  thing& operator=(const thing&) = delete;

  int number = 0;
  int64_t plain = 0;  // a race on it is one of the pool's edges missing
  std::atomic<int> hands{0};
};

class Pool : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(thing::alive, 0); }
  void TearDown() override { EXPECT_EQ(thing::alive, 0); }
};

TEST_F(Pool, WithoutAFactoryAnEmptyOneHasNothing) {
  weft::pool<thing> p;
  EXPECT_EQ(p.get(), nullptr);
  EXPECT_FALSE(p.borrow());
  p.put(nullptr);
  EXPECT_EQ(p.get(), nullptr);
}

TEST_F(Pool, GivesBackWhatWasPut) {
  weft::run({.procs = 1}, [] {
    weft::pool<thing> p;
    p.put(std::make_unique<thing>(7));
    const auto got = p.get();
    ASSERT_NE(got, nullptr);
    EXPECT_EQ(got->number, 7);
    EXPECT_EQ(p.get(), nullptr);
  });
}

TEST_F(Pool, FactoriesMakeWhatIsMissing) {
  weft::run({.procs = 1}, [] {
    int calls = 0;
    weft::pool<thing> values([&calls] { return thing(++calls); });
    auto first = values.get();
    EXPECT_EQ(first->number, 1);
    values.put(std::move(first));
    EXPECT_EQ(values.get()->number, 1);
    EXPECT_EQ(values.get()->number, 2);
    weft::pool<thing> pointers([] { return std::make_unique<thing>(3); });
    EXPECT_EQ(pointers.borrow()->number, 3);
    weft::pool<std::unique_ptr<int>> movable([] { return std::make_unique<int>(4); });
    EXPECT_EQ(**movable.get(), 4);
  });
}

TEST_F(Pool, AFactorysExceptionReachesTheCaller) {
  weft::pool<thing> p([]() -> thing { throw std::runtime_error("no"); });
  EXPECT_THROW((void)p.get(), std::runtime_error);
}

TEST_F(Pool, ALeaseGoesBackAtTheEndOfItsScope) {
  weft::run({.procs = 1}, [] {
    weft::pool<thing> p([] { return thing(); });
    thing* seen = nullptr;
    {
      auto lease = p.borrow();
      seen = lease.get();
      auto moved = std::move(lease);
      EXPECT_FALSE(lease);  // NOLINT(bugprone-use-after-move): what it must be
      (*moved).number = 5;
    }
    auto again = p.borrow();
    EXPECT_EQ(again.get(), seen);
    EXPECT_EQ(again->number, 5);
    again = p.borrow();  // the first goes back
    const auto kept = again.keep();
    EXPECT_FALSE(again);
    EXPECT_EQ(p.get().get(), seen);
  });
}

TEST_F(Pool, MoreThanARingCanHold) {
  weft::run({.procs = 1}, [] {
    weft::pool<thing> p;
    constexpr int count = 5000;
    for (int i = 0; i < count; ++i) p.put(std::make_unique<thing>(i));
    std::set<int> seen;
    std::vector<std::unique_ptr<thing>> out;
    while (auto it = p.get()) {
      seen.insert(it->number);
      out.push_back(std::move(it));
    }
    EXPECT_EQ(seen.size(), count);
    for (auto& it : out) p.put(std::move(it));
  });
}

TEST_F(Pool, MayBeGlobal) {
  static weft::pool<int> global;  // destroyed at exit, with what is in it
  global.put(std::make_unique<int>(1));
}

TEST_F(Pool, WhatNobodyTakesLastsTwoEpochs) {
  weft::run({.procs = 1}, [] {
    weft::pool<thing> p;
    for (int i = 0; i < 100; ++i) p.put(std::make_unique<thing>(i));
    weft::rt::pool_memory_epoch();
    EXPECT_EQ(thing::alive, 100);
    auto saved = p.get();  // a victim: used, so it is young again
    ASSERT_NE(saved, nullptr);
    p.put(std::move(saved));
    weft::rt::pool_memory_epoch();
    EXPECT_EQ(thing::alive, 1);
    weft::rt::pool_memory_epoch();
    EXPECT_EQ(thing::alive, 0);
    EXPECT_EQ(p.get(), nullptr);
  });
}

TEST_F(Pool, VictimsAreFoundByOtherThreadsToo) {
  weft::run({.procs = 2}, [] {
    weft::pool<thing> p;
    for (int i = 0; i < 50; ++i) p.put(std::make_unique<thing>(i));
    weft::rt::pool_memory_epoch();
    std::vector<std::unique_ptr<thing>> got;
    std::thread guest([&] {
      while (auto it = p.get()) got.push_back(std::move(it));
    });
    weft::blocking([&] { guest.join(); });
    EXPECT_EQ(got.size(), 50);
  });
}

TEST_F(Pool, DestructorsMayUsePoolsAndPark) {
  struct child {
    weft::pool<thing>* other;
    explicit child(weft::pool<thing>* p) : other(p) {}
    child(const child&) = delete;
    ~child() {
      weft::yield();
      other->put(std::make_unique<thing>());
    }
  };
  weft::run({.procs = 2}, [] {
    weft::pool<thing> things;
    {
      weft::pool<child> children;
      for (int i = 0; i < 20; ++i) children.put(std::make_unique<child>(&things));
      weft::rt::pool_memory_epoch();
      weft::rt::pool_memory_epoch();
      for (int i = 0; i < 20; ++i) children.put(std::make_unique<child>(&things));
    }
    EXPECT_GE(thing::alive, 20);
  });
}

/// Beside a bag: what get() returns was put and is in no other hand; without an epoch nothing of
/// one goroutine on one P is lost.
TEST_F(Pool, AgreesWithABag) {
  for (unsigned seed = 0; seed < 200; ++seed)
    weft::run({.procs = 1}, [seed] {
      weft::pool<thing> p;
      std::mt19937 random(seed);
      std::multiset<int> inside;
      std::vector<std::unique_ptr<thing>> hands;
      int next = 0;
      bool aged = false;
      for (int step = 0; step < 400; ++step) {
        switch (random() % 16) {
          case 0:
            if (random() % 4 == 0) {
              weft::rt::pool_memory_epoch();
              aged = true;
            }
            break;
          case 1:
            hands.push_back(std::make_unique<thing>(next++));
            break;
          default:
            if (random() % 2 == 0 && !hands.empty()) {
              inside.insert(hands.back()->number);
              p.put(std::move(hands.back()));
              hands.pop_back();
            } else if (auto got = p.get()) {
              const auto at = inside.find(got->number);
              ASSERT_NE(at, inside.end()) << "seed " << seed;
              inside.erase(at);
              hands.push_back(std::move(got));
            } else {
              ASSERT_TRUE(aged || inside.empty()) << "seed " << seed;
              inside.clear();
            }
        }
      }
    });
}

/// Takes, checks that no other hand has it, lets `meanwhile()` move things about, gives it back.
template <class F>
void use(weft::pool<thing>& p, F meanwhile) {
  auto it = p.get();
  EXPECT_EQ(it->hands.fetch_add(1, std::memory_order_relaxed), 0);
  ++it->plain;
  meanwhile();
  ++it->plain;
  EXPECT_EQ(it->hands.fetch_sub(1, std::memory_order_relaxed), 1);
  p.put(std::move(it));
}

#if WEFT_TSAN || WEFT_ASAN || defined(WEFT_DEBUG_BUILD)
constexpr int rounds = 200;
#else
constexpr int rounds = 2000;
#endif

TEST_F(Pool, EachObjectIsInOneHandWhateverMoves) {
  weft::run({.procs = 4}, [] {
    weft::pool<thing> p([] { return thing(); });
    std::atomic<bool> stop{false};
    weft::wait_group users;
    for (int g = 0; g < 12; ++g)
      users.go([&, g] {
        std::mt19937 random(static_cast<unsigned>(g));
        for (int i = 0; i < rounds; ++i)
          use(p, [&] {
            switch (random() % 8) {
              case 0:
                return weft::yield();  // and goes on elsewhere
              case 1:
                use(p, [] {});
                return;
              case 2: {
                std::vector<std::unique_ptr<thing>> many;
                for (int k = 0; k < 40; ++k) many.push_back(p.get());
                for (auto& one : many) p.put(std::move(one));
                return;
              }
              default:
                return;
            }
          });
      });
    weft::wait_group movers;
    movers.go([&] {  // Ps come and go
      for (int n = 1; !stop; n = n % 6 + 1) {
        weft::maxprocs(n);
        weft::sleep_for(1ms);
      }
      weft::maxprocs(4);
    });
    movers.go([&] {
      while (!stop) {
        weft::rt::pool_memory_epoch();
        weft::yield();
      }
    });
    movers.go([&] {
      while (!stop)
        use(p, [] {
          std::this_thread::sleep_for(500us);  // so that its P is taken from it
        });
    });
    std::thread guest([&] {
      while (!stop) use(p, [] {});
    });
    users.wait();
    stop = true;
    weft::blocking([&] { guest.join(); });
    movers.wait();
    // All that was put is there, or has been destroyed: nothing is in between.
    weft::rt::pool_memory_epoch();  // what single Ps have kept is anyone's now
    int inside = 0;
    std::vector<std::unique_ptr<thing>> out;
    const int before = thing::made;
    for (;; ++inside) {
      auto it = p.get();
      if (thing::made != before) break;
      out.push_back(std::move(it));
    }
    EXPECT_EQ(thing::alive, inside);
  });
}

/// One puts, others take: what is beyond the first goes by the chain's tail.
TEST_F(Pool, WhatOnePPutsOthersTake) {
  weft::run({.procs = 4}, [] {
    weft::pool<thing> p;
    constexpr int count = rounds * 10;
    std::vector<std::atomic<int>> seen(count);
    const auto take = [&] {
      auto it = p.get();
      if (it != nullptr) ++seen[static_cast<size_t>(it->number)];
      return it != nullptr;
    };
    std::atomic<bool> stop{false};
    weft::wait_group all;
    for (int g = 0; g < 3; ++g)
      all.go([&] {
        while (!stop)
          if (!take()) weft::yield();
      });
    for (int i = 0; i < count; ++i) {
      p.put(std::make_unique<thing>(i));
      if (i % 50 == 0) weft::yield();
    }
    stop = true;
    all.wait();
    weft::rt::pool_memory_epoch();  // also what lies in places of single Ps is anyone's now
    while (take()) continue;
    for (const auto& times : seen) EXPECT_EQ(times, 1);
  });
}

TEST_F(Pool, TheMonitorLetsItGrowOld) {
  weft::run({.procs = 2}, [] {
    weft::pool<thing> p;
    for (int i = 0; i < 100; ++i) p.put(std::make_unique<thing>(i));
    auto age = [now = weft::now().time_since_epoch()]() mutable {
      now += std::chrono::nanoseconds(weft::pool_epoch_ns);
      const weft::rt::section entered(weft::rt::leaf);
      weft::rt::every_second.load(weft::rt::acquire)(std::chrono::nanoseconds(now).count());
    };
    while (thing::alive != 0) {  // two epochs, each begun by a call that comes late enough
      age();
      weft::yield();
    }
  });
}

TEST_F(Pool, PoolsDieWhileOthersGrowOlder) {
  weft::run({.procs = 4}, [] {
    std::atomic<bool> stop{false};
    weft::wait_group aging;
    aging.go([&] {
      while (!stop) {
        weft::rt::pool_memory_epoch();
        weft::yield();
      }
    });
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([] {
        for (int i = 0; i < rounds / 4; ++i) {
          weft::pool<thing> p;
          for (int k = 0; k < 40; ++k) p.put(std::make_unique<thing>());
          (void)p.get();
          if (i % 8 == 0) weft::yield();
        }
      });
    all.wait();
    stop = true;
    aging.wait();
  });
}

}  // namespace
