// SPDX-License-Identifier: Apache-2.0
// Pools under seeded schedules: what was put comes out once, whoever takes it, whenever memory is
// short.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sync/pool.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using weft::sim_testing::explore;

struct counted {
  std::atomic<int>* alive;
  bool held = false;
  explicit counted(std::atomic<int>* count) : alive(count) { ++*alive; }
  counted(const counted&) = delete;
  ~counted() { --*alive; }
};

TEST(PoolSim, AnObjectIsInOneHand) {
  explore([] {
    std::atomic<int> alive{0};
    {
      weft::pool<counted> p([&alive] { return std::make_unique<counted>(&alive); });
      weft::wait_group all;
      for (int g = 0; g < 4; ++g)
        all.go([&, g] {
          for (int i = 0; i < 6; ++i) {
            if (g == 3 && i % 2 == 0) weft::rt::pool_memory_epoch();
            const auto one = p.borrow();
            EXPECT_FALSE(one->held);
            one->held = true;
            weft::yield();
            one->held = false;
          }
        });
      all.wait();
      EXPECT_LE(alive, 4);
    }
    EXPECT_EQ(alive, 0);
  });
}

TEST(PoolSim, NothingIsLostWithoutAnEpoch) {
  explore([] {
    std::atomic<int> alive{0};
    weft::pool<counted> p;
    std::atomic<int> taken{0};
    weft::wait_group all;
    for (int g = 0; g < 2; ++g) {
      all.go([&] {
        for (int i = 0; i < 20; ++i) p.put(std::make_unique<counted>(&alive));
      });
      all.go([&] {
        for (int i = 0; i < 20; ++i)
          if (p.get() != nullptr) ++taken;
      });
    }
    all.wait();
    EXPECT_EQ(alive, 40 - taken);
    while (p.get() != nullptr) ++taken;
    EXPECT_EQ(taken, 40);
  });
}

TEST(PoolSim, TwoEpochsEmptyIt) {
  explore([] {
    std::atomic<int> alive{0};
    weft::pool<counted> p;
    weft::wait_group all;
    for (int g = 0; g < 3; ++g)
      all.go([&, g] {
        for (int i = 0; i < 5; ++i) p.put(std::make_unique<counted>(&alive));
        if (g == 0) weft::rt::pool_memory_epoch();
      });
    all.wait();
    weft::rt::pool_memory_epoch();
    weft::rt::pool_memory_epoch();
    EXPECT_EQ(alive, 0);
  });
}

}  // namespace
