// SPDX-License-Identifier: Apache-2.0
// The run queue alone: order, limits, and no item lost or taken twice under thieves.
#include "weft/sched/internal/run_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "weft/sched/internal/global_queue.hpp"

namespace {

struct item {
  std::atomic<int> taken{0};
};
using queue = weft::rt::run_queue<item, 8>;

TEST(RunQueue, IsFifoAndBounded) {
  queue q;
  std::vector<item> items(9);
  for (size_t i = 0; i < 8; ++i) EXPECT_TRUE(q.push(&items[i]));
  EXPECT_FALSE(q.push(&items[8]));
  EXPECT_EQ(q.length(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(q.pop(), &items[i]);
  EXPECT_EQ(q.pop(), nullptr);
  EXPECT_TRUE(q.empty());
}

TEST(RunQueue, StealTakesTheOlderHalf) {
  queue q;
  queue mine;
  std::vector<item> items(5);
  for (auto& i : items) ASSERT_TRUE(q.push(&i));
  EXPECT_EQ(mine.steal_half(q), &items[2]);
  EXPECT_EQ(mine.pop(), &items[0]);
  EXPECT_EQ(mine.pop(), &items[1]);
  EXPECT_EQ(mine.pop(), nullptr);
  EXPECT_EQ(q.pop(), &items[3]);
}

TEST(RunQueue, StealTakesTheLastOne) {
  queue q;
  queue mine;
  item one;
  EXPECT_EQ(mine.steal_half(q), nullptr);
  ASSERT_TRUE(q.push(&one));
  EXPECT_EQ(mine.steal_half(q), &one);
  EXPECT_TRUE(mine.empty());
  EXPECT_TRUE(q.empty());
}

TEST(RunQueue, SpillTakesTheOldestOfAFullRing) {
  queue q;
  std::vector<item> items(8);
  item* out[4];
  EXPECT_EQ(q.spill(out, 4), 0u);
  for (auto& i : items) ASSERT_TRUE(q.push(&i));
  EXPECT_EQ(q.spill(out, 4), 4u);
  EXPECT_EQ(out[0], &items[0]);
  EXPECT_EQ(q.length(), 4u);
}

TEST(RunQueue, NextSlotDisplacesAndIsStealable) {
  queue q;
  item a;
  item b;
  EXPECT_EQ(q.exchange_next(&a), nullptr);
  EXPECT_EQ(q.exchange_next(&b), &a);
  EXPECT_FALSE(q.empty());
  EXPECT_FALSE(q.steal_next(&a));
  EXPECT_TRUE(q.steal_next(&b));
  EXPECT_EQ(q.take_next(), nullptr);
}

TEST(RunQueue, EveryItemIsTakenOnceUnderThieves) {
  constexpr int count = 200000;
  auto items = std::make_unique<item[]>(count);
  queue q;
  std::atomic<bool> stop{false};
  std::atomic<int> taken{0};
  auto thief = [&] {
    queue mine;
    while (!stop) {
      for (item* i = mine.steal_half(q); i != nullptr; i = mine.pop()) ++i->taken, ++taken;
      if (item* seen = q.peek_next(); seen != nullptr && q.steal_next(seen)) ++seen->taken, ++taken;
    }
  };
  std::thread one(thief);
  std::thread two(thief);
  for (int i = 0; i < count; ++i) {
    item* displaced = i % 3 == 0 ? q.exchange_next(&items[i]) : &items[i];
    while (displaced != nullptr && !q.push(displaced))
      if (item* mine = q.pop(); mine != nullptr) ++mine->taken, ++taken;
    if (i % 5 == 0)
      if (item* mine = q.pop(); mine != nullptr) ++mine->taken, ++taken;
  }
  while (taken < count) {
    if (item* mine = q.take_next(); mine != nullptr) ++mine->taken, ++taken;
    if (item* mine = q.pop(); mine != nullptr) ++mine->taken, ++taken;
  }
  stop = true;
  one.join();
  two.join();
  for (int i = 0; i < count; ++i) ASSERT_EQ(items[i].taken, 1) << i;
}

TEST(GlobalQueue, KeepsItsOrderWhileItGrows) {
  weft::rt::global_queue q;
  q.initialize();
  std::vector<weft::rt::goroutine> cells(5000);
  size_t pushed = 0;
  size_t popped = 0;
  // Pushed three, popped one: the ring has gone round in part whenever it grows.
  while (popped < cells.size()) {
    for (int i = 0; i < 3 && pushed < cells.size(); ++i) q.push_back(&cells[pushed++]);
    ASSERT_EQ(q.pop_front(), &cells[popped++]);
    ASSERT_EQ(q.count(), pushed - popped);
  }
  EXPECT_EQ(q.pop_front(), nullptr);
}

}  // namespace
