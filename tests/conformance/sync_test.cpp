// SPDX-License-Identifier: Apache-2.0
// spec/semantics.md §4: mutex, rw_mutex, wait_group, once, cond. One suite for what claims the
// contract of a lock.
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "conformance_testing.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/cond.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/once.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/semaphore.hpp"
#include "weft/sync/wait_group.hpp"

using namespace conformance;

namespace {

template <class F>
void expect_fatal(F f, const std::string& text) {
  expect_death(f, ("fatal error: " + text + "\n").c_str());
}

template <class Lock>
class Lockable : public testing::Test {};
using locks = testing::Types<weft::mutex, weft::rw_mutex>;
TYPED_TEST_SUITE(Lockable, locks);

TYPED_TEST(Lockable, Excludes) {
  on_four_ps([] {
    TypeParam m;
    int64_t plain = 0;
    weft::wait_group all;
    for (int g = 0; g < 8; ++g)
      all.go([&] {
        for (int i = 0; i < 2000; ++i) {
          const std::lock_guard held(m);
          ++plain;
          if (i % 500 == 0) weft::yield();  // held across a park
        }
      });
    all.wait();
    EXPECT_EQ(plain, 16000);
  });
}

TYPED_TEST(Lockable, TryLock) {
  on_one_p([] {
    TypeParam m;
    EXPECT_TRUE(m.try_lock());
    EXPECT_FALSE(m.try_lock());
    m.unlock();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TYPED_TEST(Lockable, AnotherGoroutineMayUnlock) {
  on_one_p([] {
    TypeParam m;
    m.lock();
    auto t = weft::spawn([&] { m.unlock(); });
    m.lock();
    t.join();
    m.unlock();
  });
}

TYPED_TEST(Lockable, WaitersAreServedInOrder) {
  on_one_p([] {
    TypeParam m;
    std::vector<int> order;
    std::vector<watched> waiters;
    m.lock();
    for (int i = 0; i < 6; ++i) {
      waiters.emplace_back([&, i] {
        const std::lock_guard held(m);
        order.push_back(i);
      });
      EXPECT_EQ(waiters.back().blocked_on(),
                (std::is_same_v<TypeParam, weft::mutex>) ? "sync.Mutex.Lock" : "sync.RWMutex.Lock");
    }
    m.unlock();
    for (auto& w : waiters) w.join();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5}));
  });
}

TYPED_TEST(Lockable, ScopedLockOfTwoDoesNotDeadlock) {
  on_four_ps([] {
    TypeParam a;
    TypeParam b;
    int64_t plain = 0;
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([&, g] {
        for (int i = 0; i < 200; ++i) {
          if (g % 2 == 0) {
            const std::scoped_lock both(a, b);
            ++plain;
          } else {
            const std::scoped_lock both(b, a);
            ++plain;
          }
        }
      });
    all.wait();
    EXPECT_EQ(plain, 800);
  });
}

TEST(Mutex, UnlockOfUnlockedIsFatal) {
  expect_fatal(
      [] {
        weft::mutex m;
        m.unlock();
      },
      "sync: unlock of unlocked mutex");
}

TEST(Mutex, IsNotRecursive) {
  on_one_p([] {
    static weft::mutex m;
    m.lock();
    watched g([] { m.lock(); });
    EXPECT_EQ(g.blocked_on(), "sync.Mutex.Lock");
    m.unlock();
    g.join();
    m.unlock();
  });
}

TEST(Mutex, AStarvedWaiterIsHandedTheLock) {
  on_one_p([] {
    weft::mutex m;
    m.lock();
    watched starved([&] {
      m.lock();
      m.unlock();
    });
    EXPECT_EQ(starved.blocked_on(), "sync.Mutex.Lock");
    weft::sleep_for(2ms);
    m.unlock();  // wakes it
    m.lock();    // but we run, and take it
    while (!m.try_lock()) {
      // It loses, finds that it has waited more than 1 ms, and makes the mutex starving.
      if (starved.blocked_on() == "sync.Mutex.Lock") break;
    }
    m.unlock();                  // hands over
    EXPECT_FALSE(m.try_lock());  // free, but promised
    starved.join();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST(RwMutex, ReadersShareAndExcludeWriters) {
  on_one_p([] {
    weft::rw_mutex m;
    m.lock_shared();
    EXPECT_TRUE(m.try_lock_shared());
    EXPECT_FALSE(m.try_lock());
    m.unlock_shared();
    m.unlock_shared();
    m.lock();
    EXPECT_FALSE(m.try_lock_shared());
    watched reader([&] { const std::shared_lock held(m); });
    EXPECT_EQ(reader.blocked_on(), "sync.RWMutex.RLock");
    m.unlock();
    reader.join();
  });
}

TEST(RwMutex, APendingWriterBlocksNewReaders) {
  on_one_p([] {
    weft::rw_mutex m;
    std::string order;
    m.lock_shared();
    watched writer([&] {
      m.lock();
      order += 'w';
      m.unlock();
    });
    EXPECT_EQ(writer.blocked_on(), "sync.RWMutex.Lock");
    EXPECT_FALSE(m.try_lock_shared());
    watched reader([&] {
      m.lock_shared();
      order += 'r';
      m.unlock_shared();
    });
    EXPECT_EQ(reader.blocked_on(), "sync.RWMutex.RLock");
    m.unlock_shared();
    writer.join();
    reader.join();
    EXPECT_EQ(order, "wr");
  });
}

TEST(RwMutex, WaitingReadersEnterBeforeTheNextWriter) {
  on_one_p([] {
    weft::rw_mutex m;
    std::mutex order_lock;
    std::string order;
    m.lock();
    watched writer([&] {
      m.lock();
      order += 'w';
      m.unlock();
    });
    EXPECT_EQ(writer.blocked_on(), "sync.RWMutex.Lock");
    std::vector<watched> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        m.lock_shared();
        {
          const std::lock_guard writing(order_lock);  // readers are not ordered among themselves
          order += 'r';
        }
        m.unlock_shared();
      });
      EXPECT_EQ(readers.back().blocked_on(), "sync.RWMutex.RLock");
    }
    m.unlock();
    writer.join();
    for (auto& r : readers) r.join();
    EXPECT_EQ(order, "rrrw");
  });
}

TEST(RwMutex, ReadersAndWritersKeepAnInvariant) {
  on_four_ps([] {
    weft::rw_mutex m;
    int a = 0;
    int b = 0;
    weft::wait_group all;
    for (int g = 0; g < 6; ++g)
      all.go([&, g] {
        for (int i = 0; i < 1000; ++i) {
          if (g < 4) {
            const std::shared_lock held(m);
            EXPECT_EQ(a, b);
          } else {
            const std::lock_guard held(m);
            ++a;
            if (i % 100 == 0) weft::yield();
            ++b;
          }
        }
      });
    all.wait();
    EXPECT_EQ(a, 2000);
    EXPECT_EQ(b, 2000);
  });
}

TEST(RwMutex, UnlockOfUnlockedIsFatal) {
  expect_fatal(
      [] {
        weft::rw_mutex m;
        m.unlock();
      },
      "sync: Unlock of unlocked RWMutex");
  expect_fatal(
      [] {
        weft::rw_mutex m;
        m.lock_shared();
        m.unlock();
      },
      "sync: Unlock of unlocked RWMutex");
  expect_fatal(
      [] {
        weft::rw_mutex m;
        m.unlock_shared();
      },
      "sync: RUnlock of unlocked RWMutex");
  expect_fatal(
      [] {
        weft::rw_mutex m;
        m.lock();
        m.unlock_shared();
      },
      "sync: RUnlock of unlocked RWMutex");
}

TEST(WaitGroup, WaitsForAll) {
  on_four_ps([] {
    for (int round = 0; round < 100; ++round) {
      weft::wait_group all;
      std::vector<int> plain(8);
      for (auto& p : plain) all.go([&p] { p = 1; });
      all.wait();
      for (int p : plain) EXPECT_EQ(p, 1);
    }
  });
}

TEST(WaitGroup, WaitOnZeroReturnsAtOnce) {
  weft::wait_group none;
  none.wait();
}

TEST(WaitGroup, WakesAllWaitersAndIsReusable) {
  on_one_p([] {
    weft::wait_group wg;
    for (int round = 0; round < 3; ++round) {
      wg.add(2);
      std::vector<watched> waiters;
      for (int i = 0; i < 3; ++i) {
        waiters.emplace_back([&] { wg.wait(); });
        EXPECT_EQ(waiters.back().blocked_on(), "sync.WaitGroup.Wait");
      }
      wg.done();
      EXPECT_EQ(waiters[0].blocked_on(), "sync.WaitGroup.Wait");
      wg.done();
      for (auto& w : waiters) w.join();
    }
  });
}

TEST(WaitGroup, NegativeCounterPanics) {
  weft::wait_group wg;
  EXPECT_EQ(panic_of([&] { wg.done(); }), "sync: negative WaitGroup counter");
  weft::wait_group two;
  two.add(1);
  EXPECT_EQ(panic_of([&] { two.add(-2); }), "sync: negative WaitGroup counter");
}

TEST(WaitGroup, ReuseBeforeWaitHasReturnedPanics) {
  on_one_p([] {
    weft::wait_group wg;
    wg.add(1);
    std::string text;
    watched waiter([&] { text = panic_of([&] { wg.wait(); }); });
    EXPECT_EQ(waiter.blocked_on(), "sync.WaitGroup.Wait");
    wg.done();
    {
      // A misuse that ThreadSanitizer reports as well; here it is meant.
      const weft::rt::sanitizer::unseen_accesses meant;
      wg.add(1);  // the waiter is runnable, and has not run
    }
    waiter.join();
    EXPECT_EQ(text, "sync: WaitGroup is reused before previous Wait has returned");
  });
}

TEST(Once, RunsOnceAndOthersWait) {
  on_one_p([] {
    weft::once once;
    auto gate = weft::make_chan<int>();
    int runs = 0;
    watched first([&] {
      once.call([&] {
        (void)gate.recv();
        ++runs;
      });
    });
    EXPECT_EQ(first.blocked_on(), "chan receive");
    watched second([&] {
      once.call([&] { ++runs; });
      EXPECT_EQ(runs, 1);
    });
    EXPECT_EQ(second.blocked_on(), "sync.Mutex.Lock");
    gate.send(0);
    first.join();
    second.join();
    EXPECT_EQ(runs, 1);
  });
}

TEST(Once, APanicCountsAsDone) {
  weft::once once;
  EXPECT_EQ(panic_of([&] { once.call([] { weft::panic("first"); }); }), "first");
  bool again = false;
  once.call([&] { again = true; });
  EXPECT_FALSE(again);
}

TEST(Once, CallingItFromItselfDeadlocks) {
  on_one_p([] {
    static weft::once once;
    watched g([] { once.call([] { once.call([] {}); }); });
    EXPECT_EQ(g.blocked_on(), "sync.Mutex.Lock");
  });
}

TEST(Once, OnceFuncPanicsAgainEachTime) {
  int runs = 0;
  auto f = weft::once_func([&] {
    ++runs;
    weft::panic("always");
  });
  auto copy = f;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(panic_of(f), "always");
  EXPECT_EQ(panic_of(copy), "always");
  EXPECT_EQ(runs, 1);
}

TEST(Once, OnceValueKeepsTheResult) {
  on_four_ps([] {
    weft::rt::atomic<int> runs{0};
    auto f = weft::once_value([&] {
      runs.fetch_add(1, weft::rt::relaxed);
      return std::string("made once");
    });
    weft::wait_group all;
    for (int i = 0; i < 8; ++i) all.go([&] { EXPECT_EQ(f(), "made once"); });
    all.wait();
    EXPECT_EQ(runs.load(weft::rt::relaxed), 1);
  });
}

TEST(Cond, SignalWakesWhoHasWaitedLongest) {
  on_one_p([] {
    weft::mutex m;
    weft::cond c;
    std::vector<int> order;
    std::vector<watched> waiters;
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&, i] {
        std::unique_lock held(m);
        c.wait(held);
        order.push_back(i);
      });
      EXPECT_EQ(waiters.back().blocked_on(), "sync.Cond.Wait");
    }
    for (int i = 0; i < 4; ++i) {
      c.signal();  // the lock is not needed
      waiters[static_cast<size_t>(i)].join();
    }
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
    c.signal();  // nobody waits: nothing
  });
}

TEST(Cond, BroadcastWakesAll) {
  on_one_p([] {
    weft::mutex m;
    weft::cond c;
    std::vector<watched> waiters;
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&] {
        std::unique_lock held(m);
        c.wait(held);
      });
      EXPECT_EQ(waiters.back().blocked_on(), "sync.Cond.Wait");
    }
    c.broadcast();
    for (auto& w : waiters) w.join();
  });
}

TEST(Cond, NoSignalIsLostBetweenUnlockAndSleep) {
  on_four_ps([] {
    weft::mutex m;
    weft::cond not_empty;
    weft::cond not_full;
    int full = 0;
    constexpr int rounds = 3000;
    auto producer = weft::spawn([&] {
      for (int i = 0; i < rounds; ++i) {
        std::unique_lock held(m);
        not_full.wait(held, [&] { return full < 2; });
        ++full;
        not_empty.notify_one();
      }
    });
    for (int i = 0; i < rounds; ++i) {
      std::unique_lock held(m);
      not_empty.wait(held, [&] { return full > 0; });
      --full;
      not_full.notify_one();
    }
    producer.join();
    EXPECT_EQ(full, 0);
  });
}

TEST(Cond, WorksWithReadersOfAnRwMutex) {
  on_one_p([] {
    weft::rw_mutex m;
    weft::cond c;
    bool ready = false;
    watched reader([&] {
      std::shared_lock held(m);
      c.wait(held, [&] { return ready; });
    });
    EXPECT_EQ(reader.blocked_on(), "sync.Cond.Wait");
    {
      const std::lock_guard held(m);
      ready = true;
    }
    c.notify_all();
    reader.join();
  });
}

TEST(Semaphore, LargeRequestsAreNotOvertaken) {
  on_one_p([] {
    weft::semaphore s(3);
    s.acquire(2);
    watched large([&] { s.acquire(3); });
    EXPECT_EQ(large.blocked_on(), "select");
    EXPECT_FALSE(s.try_acquire(1));  // one is free, but somebody waits
    s.release(2);
    large.join();
    EXPECT_FALSE(s.try_acquire(1));
    s.release(3);
    EXPECT_TRUE(s.try_acquire(3));
    s.release(3);
    EXPECT_EQ(panic_of([&] { s.release(1); }), "semaphore: released more than held");
  });
}

TEST(Semaphore, AContextEndsTheWait) {
  on_one_p([] {
    weft::semaphore s(1);
    s.acquire();
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 1ms);
    EXPECT_EQ(s.acquire(ctx, 1).error(), weft::deadline_exceeded);
    EXPECT_EQ(s.acquire(ctx, 1).error(), weft::deadline_exceeded);
    auto [too_many, cancel_too_many] = weft::with_timeout(weft::background(), 1ms);
    EXPECT_EQ(s.acquire(too_many, 2).error(), weft::deadline_exceeded);
    s.release();
    EXPECT_TRUE(s.acquire(weft::background()).has_value());
    s.release();
  });
}

TEST(Semaphore, LeavingTheQueueLetsOthersThrough) {
  on_one_p([] {
    weft::semaphore s(2);
    s.acquire(1);
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    watched large([&s, c = ctx] { EXPECT_FALSE(s.acquire(c, 2).has_value()); });
    EXPECT_EQ(large.blocked_on(), "select");
    watched small([&] { s.acquire(1); });
    EXPECT_EQ(small.blocked_on(), "select");
    cancel();
    large.join();
    small.join();
    s.release(2);
  });
}

}  // namespace
