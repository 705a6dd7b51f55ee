// SPDX-License-Identifier: Apache-2.0
// The order of locks, and the lock itself.
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/death_testing.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/base/lock_rank_check.hpp"

namespace weft::rt {
namespace {

using testing::die_in_child;

TEST(LockRank, UpwardsIsAllowed) {
  held_locks held;
  int a = 0, b = 0;
  held.acquire(lock_rank::sync, &a);
  EXPECT_EQ(held.refuse(lock_rank::sched, &b), nullptr);
  held.acquire(lock_rank::sched, &b);
  held.release(lock_rank::sync, &a);  // any order
  held.release(lock_rank::sched, &b);
  EXPECT_EQ(held.count(), 0);
}

TEST(LockRank, DownwardsIsRefused) {
  held_locks held;
  int a = 0, b = 0;
  held.acquire(lock_rank::sched, &a);
  EXPECT_STREQ(held.refuse(lock_rank::sync, &b), "lock order: rank %d taken under rank %d");
}

TEST(LockRank, ManyChannelsMayBeHeld) {
  held_locks held;
  static char locks[1000];
  for (char& lock : locks) held.acquire(lock_rank::channel, &lock);
  EXPECT_NE(held.refuse(lock_rank::sync, &held), nullptr);
  for (char& lock : locks) held.release(lock_rank::channel, &lock);
  EXPECT_EQ(held.count(), 0);
  EXPECT_EQ(held.refuse(lock_rank::sync, &held), nullptr);
}

TEST(LockRank, SameRankOnlyInAddressOrder) {
  held_locks held;
  int locks[3] = {};
  held.acquire(lock_rank::channel, &locks[1]);
  EXPECT_EQ(held.refuse(lock_rank::channel, &locks[2]), nullptr);
  EXPECT_NE(held.refuse(lock_rank::channel, &locks[0]), nullptr);
  held.release(lock_rank::channel, &locks[1]);
  held.acquire(lock_rank::sync, &locks[1]);
  EXPECT_NE(held.refuse(lock_rank::sync, &locks[2]), nullptr);
}

TEST(LockRank, TakingTwiceIsRefused) {
  held_locks held;
  int a = 0;
  held.acquire(lock_rank::channel, &a);
  EXPECT_NE(held.refuse(lock_rank::channel, &a), nullptr);
}

TEST(LockRank, ViolationsAreBugs) {
  auto order = die_in_child([] {
    held_locks held;
    int a = 0, b = 0;
    held.acquire(lock_rank::leaf, &a);
    held.acquire(lock_rank::sim, &b);
  });
  EXPECT_EQ(order.signal, SIGABRT);
  EXPECT_EQ(order.text, "weft: internal error: lock order: rank 0 taken under rank 17\n\n");
  auto never_held = die_in_child([] {
    held_locks held;
    int a = 0;
    held.release(lock_rank::leaf, &a);
  });
  EXPECT_EQ(never_held.signal, SIGABRT);
}

TEST(LockRank, Names) {
  EXPECT_STREQ(lock_rank_name(lock_rank::sim), "sim");
  EXPECT_STREQ(lock_rank_name(lock_rank::leaf), "leaf");
}

#ifdef WEFT_DEBUG_BUILD
TEST(LockRank, DebugBuildsCheckEveryLock) {
  auto d = die_in_child([] {
    futex_mutex high(lock_rank::leaf);
    futex_mutex low(lock_rank::sched);
    lock_scope hold_high(high);
    lock_scope hold_low(low);
  });
  EXPECT_EQ(d.signal, SIGABRT);
}
#endif

TEST(FutexMutex, ExcludesAndWakes) {
  static futex_mutex lock(lock_rank::leaf);
  int count = 0;
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t) {
    all.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        lock_scope hold(lock);
        // Long enough at times that others give up spinning and sleep.
        if (i % 512 == 0) os::yield_thread();
        ++count;
      }
    });
  }
  for (auto& t : all) t.join();
  EXPECT_EQ(count, 20'000);
}

TEST(FutexMutex, TryLock) {
  futex_mutex lock(lock_rank::leaf);
  if (!lock.try_lock()) FAIL() << "a free lock was refused";
  bool taken_twice = false;
  std::thread([&] {
    if (!lock.try_lock()) return;
    taken_twice = true;
    lock.unlock();
  }).join();
  lock.unlock();
  EXPECT_FALSE(taken_twice);
}

}  // namespace
}  // namespace weft::rt
