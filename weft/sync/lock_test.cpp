// SPDX-License-Identifier: Apache-2.0
// Locks and wait groups on several Ps: contention, and objects that die as early as they may.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "weft/base/sanitizer.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/cond.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

TEST(Mutex, ContentionKeepsCountAndEndsUnlocked) {
  weft::run({.procs = 4}, [] {
    weft::mutex m;
    int64_t plain = 0;
    weft::wait_group all;
    for (int g = 0; g < 16; ++g)
      all.go([&] {
        for (int i = 0; i < 20000; ++i) {
          const std::lock_guard held(m);
          ++plain;
        }
      });
    all.wait();
    EXPECT_EQ(plain, 320000);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST(Mutex, LongSectionsStarveNobody) {
  weft::run({.procs = 4}, [] {
    weft::mutex m;
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([&] {
        for (int i = 0; i < 15; ++i) {
          const std::lock_guard held(m);
          const auto until = weft::now() + 300us;
          while (weft::now() < until) continue;
        }
      });
    all.wait();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

/// An object whose last user destroys it right after its unlock.
template <class Lock>
void last_user_destroys() {
  weft::run({.procs = 4}, [] {
    struct object {
      Lock lock;
      int users = 4;
    };
    for (int round = 0; round < 1000; ++round) {
      auto* o = new object;
      weft::wait_group all;
      for (int g = 0; g < 4; ++g)
        all.go([o] {
          o->lock.lock();
          const bool last = --o->users == 0;
          o->lock.unlock();
          if (last) delete o;
        });
      all.wait();
    }
  });
}

TEST(Mutex, TheLastUserMayDestroyIt) { last_user_destroys<weft::mutex>(); }
TEST(RwMutex, TheLastUserMayDestroyIt) { last_user_destroys<weft::rw_mutex>(); }

TEST(RwMutex, ReadersMayDestroyItRightAfterTheWriter) {
  weft::run({.procs = 4}, [] {
    for (int round = 0; round < 1000; ++round) {
      auto m = std::make_unique<weft::rw_mutex>();
      m->lock();
      weft::wait_group readers;
      for (int g = 0; g < 3; ++g)
        readers.go([&] {
          m->lock_shared();
          m->unlock_shared();
        });
      m->unlock();
      readers.wait();
      m.reset();
    }
  });
}

TEST(RwMutex, Contention) {
  weft::run({.procs = 4}, [] {
    weft::rw_mutex m;
    int64_t plain = 0;
    weft::wait_group all;
    for (int g = 0; g < 8; ++g)
      all.go([&, g] {
        for (int i = 0; i < 20000; ++i) {
          if ((g + i) % 4 == 0) {
            const std::lock_guard held(m);
            ++plain;
          } else {
            const std::shared_lock held(m);
            EXPECT_GE(plain, 0);
          }
        }
      });
    all.wait();
    EXPECT_EQ(plain, 40000);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST(WaitGroup, MayDieRightAfterWait) {
  weft::run({.procs = 4}, [] {
    for (int round = 0; round < 2000; ++round) {
      auto wg = std::make_unique<weft::wait_group>();
      wg->go([] {});
      wg->go([] {});
      wg->wait();
      wg.reset();
    }
  });
}

TEST(Cond, MayDieRightAfterBroadcast) {
  weft::run({.procs = 4}, [] {
    for (int round = 0; round < 300; ++round) {
      weft::mutex m;
      auto c = std::make_unique<weft::cond>();
      int waiting = 0;
      weft::wait_group all;
      for (int g = 0; g < 3; ++g)
        all.go([&] {
          std::unique_lock held(m);
          ++waiting;
          c->wait(held);
        });
      for (;;) {
        const std::lock_guard held(m);
        if (waiting == 3) break;
        weft::yield();
      }
      c->broadcast();
      c.reset();
      all.wait();
    }
  });
}

TEST(Cond, WaitWithoutTheLockThrowsAndLeavesTheQueue) {
  weft::run({.procs = 1}, [] {
    weft::mutex m;
    weft::cond c;
    std::unique_lock not_held(m, std::defer_lock);
    EXPECT_THROW(c.wait(not_held), std::system_error);
    c.broadcast();  // finds nobody
  });
}

TEST(RwMutex, MayBeGlobal) {
  static weft::rw_mutex global;  // destroyed at exit, after the last run
  const std::lock_guard held(global);
}

/// Readers on several Ps, and so many that the lock is spread; every now and then a writer.
template <class F>
void spread_readers(int writes, F between_reads) {
  weft::run({.procs = 4}, [&] {
    weft::rw_mutex m;
    int64_t a = 0;
    int64_t b = 0;
    std::atomic<bool> stop{false};
    weft::wait_group readers;
    for (int g = 0; g < 6; ++g)
      readers.go([&] {
        while (!stop) {
          const std::shared_lock held(m);
          const int64_t seen = a;
          between_reads();
          EXPECT_EQ(seen, b);
        }
      });
    for (int i = 0; i < writes; ++i) {
      for (int k = 0; k < 8000; ++k) {
        const std::shared_lock held(m);
        EXPECT_EQ(a, b);
      }
      const std::lock_guard held(m);
      ++a;
      if (i % 4 == 0) weft::yield();
      ++b;
    }
    stop = true;
    readers.wait();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
    EXPECT_EQ(a, writes);
  });
}

#if WEFT_TSAN || WEFT_ASAN || defined(WEFT_DEBUG_BUILD)
constexpr int spread_writes = 20;
#else
constexpr int spread_writes = 200;
#endif

TEST(RwMutex, SpreadReadersNeverSeeAWriterAtWork) {
  spread_readers(spread_writes, [] {});
}

TEST(RwMutex, SpreadReadersMayMoveBetweenPs) {
  spread_readers(spread_writes / 4, [] { weft::yield(); });
}

TEST(RwMutex, SpreadOrNotTriesNeverOverlap) {
  weft::run({.procs = 4}, [] {
    weft::rw_mutex m;
    int64_t plain = 0;
    std::atomic<int> inside{0};
    std::atomic<bool> stop{false};
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([&, g] {
        while (!stop) {
          if (g == 0 ? m.try_lock_shared() : (m.lock_shared(), true)) {
            EXPECT_EQ(inside, 0);
            m.unlock_shared();
          }
        }
      });
    for (int got = 0; got < 50;) {
      for (int k = 0; k < 6000; ++k) {
        m.lock_shared();
        m.unlock_shared();
      }
      if (m.try_lock()) {
        ++inside;
        ++plain;
        --inside;
        m.unlock();
        ++got;
      } else {
        weft::yield();
      }
    }
    stop = true;
    all.wait();
    EXPECT_EQ(plain, 50);
  });
}

TEST(RwMutex, PsComeAndGoUnderSpreadReaders) {
  weft::run({.procs = 2}, [] {
    weft::rw_mutex m;
    int64_t a = 0;
    int64_t b = 0;
    std::atomic<bool> stop{false};
    weft::wait_group all;
    for (int g = 0; g < 6; ++g)
      all.go([&] {
        while (!stop) {
          const std::shared_lock held(m);
          EXPECT_EQ(a, b);
        }
      });
    std::thread guest([&] {
      while (!stop) {
        const std::shared_lock held(m);
        EXPECT_EQ(a, b);
      }
    });
    for (int i = 0; i < 60; ++i) {
      weft::maxprocs(1 + i % 5);
      for (int k = 0; k < 5000; ++k) {
        const std::shared_lock held(m);
        EXPECT_EQ(a, b);
      }
      const std::lock_guard held(m);
      ++a;
      ++b;
    }
    stop = true;
    all.wait();
    weft::blocking([&] { guest.join(); });
    EXPECT_EQ(a, 60);
  });
}

TEST(RwMutex, ASpreadOneMayDieRightAfterTheWriter) {
  weft::run({.procs = 4}, [] {
    for (int round = 0; round < spread_writes; ++round) {
      auto m = std::make_unique<weft::rw_mutex>();
      std::atomic<int> ready{0};
      std::atomic<int> left{3};
      weft::wait_group readers;
      for (int g = 0; g < 3; ++g)
        readers.go([&] {
          ++ready;
          while (ready < 3) weft::yield();
          for (int i = 0; i < 5000; ++i) {
            m->lock_shared();
            if (i == 4999) --left;  // this one is the last, and the writer waits for it
            m->unlock_shared();
          }
        });
      while (left != 0) weft::yield();
      m->lock();
      m->unlock();
      m.reset();
      readers.wait();
    }
  });
}

TEST(Locks, ForeignThreadsAndGoroutinesTogether) {
  weft::run({.procs = 2}, [] {
    weft::rw_mutex rw;
    weft::mutex m;
    weft::cond turn;
    int whose = 0;
    int64_t plain = 0;
    std::thread other([&] {
      for (int i = 0; i < 300; ++i) {
        std::unique_lock held(m);
        turn.wait(held, [&] { return whose == 1; });
        whose = 0;
        turn.signal();
        const std::lock_guard writing(rw);
        ++plain;
      }
    });
    for (int i = 0; i < 300; ++i) {
      std::unique_lock held(m);
      turn.wait(held, [&] { return whose == 0; });
      whose = 1;
      turn.signal();
      const std::lock_guard writing(rw);
      ++plain;
    }
    weft::blocking([&] { other.join(); });
    EXPECT_EQ(plain, 600);
  });
}

TEST(Context, TreesAreMadeAndEndedOnAllPs) {
  weft::run({.procs = 4}, [] {
    auto [root, cancel_root] = weft::with_cancel(weft::background());
    weft::rt::atomic<int> ran{0};
    weft::wait_group all;
    for (int g = 0; g < 8; ++g)
      all.go([&ran, g, root] {
        for (int i = 0; i < 300; ++i) {
          auto [a, cancel_a] = weft::with_timeout(root, std::chrono::microseconds(i % 50));
          auto [b, cancel_b] = weft::with_cancel(a);
          auto stop = weft::after_func(b, [&ran] { ran.fetch_add(1, weft::rt::relaxed); });
          if (i % 3 == 0) b.done().recv();
          if (i % 3 == 1) cancel_b();
          if (g == 0 && stop()) ran.fetch_add(1, weft::rt::relaxed);
        }
      });
    all.wait();
    while (ran.load(weft::rt::relaxed) < 8 * 300) weft::yield();
    EXPECT_FALSE(root.err());
  });
}

}  // namespace
