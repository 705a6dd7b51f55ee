// SPDX-License-Identifier: Apache-2.0
// Locks, conditions, wait groups and semaphores under seeded schedules.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/cond.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/once.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/semaphore.hpp"
#include "weft/sync/wait_group.hpp"

using namespace std::chrono_literals;

namespace {

using weft::sim_testing::explore;

template <class Lock>
void excludes() {
  explore([] {
    Lock m;
    int inside = 0;
    int total = 0;
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([&, g] {
        for (int i = 0; i < 5; ++i) {
          if (g == 3 && i % 2 == 0) {
            if (!m.try_lock()) continue;
          } else {
            m.lock();
          }
          EXPECT_EQ(++inside, 1);
          weft::yield();
          ++total;
          --inside;
          m.unlock();
        }
      });
    all.wait();
    EXPECT_GE(total, 17);
    EXPECT_TRUE(m.try_lock());  // nothing is left behind
    m.unlock();
  });
}

TEST(MutexSim, Excludes) { excludes<weft::mutex>(); }
TEST(RwMutexSim, Excludes) { excludes<weft::rw_mutex>(); }

TEST(MutexSim, StarvationHandsOver) {
  explore([] {
    weft::mutex m;
    std::atomic<bool> stop{false};
    // Two that hold it most of the time, in virtual milliseconds, and one that wants it too.
    auto hog = [&] {
      while (!stop) {
        const std::lock_guard held(m);
        weft::sleep_for(1ms);
      }
    };
    auto a = weft::spawn(hog);
    auto b = weft::spawn(hog);
    weft::sleep_for(500us);
    const auto start = weft::now();
    for (int i = 0; i < 5; ++i) {
      const std::lock_guard held(m);
    }
    EXPECT_LT(weft::now() - start, 100ms);
    stop = true;
    a.join();
    b.join();
  });
}

TEST(RwMutexSim, ReadersShareAndWritersDoNot) {
  explore([] {
    weft::rw_mutex m;
    std::atomic<int> readers{0};
    std::atomic<int> writers{0};
    weft::wait_group all;
    for (int g = 0; g < 3; ++g)
      all.go([&] {
        for (int i = 0; i < 5; ++i) {
          const std::shared_lock held(m);
          ++readers;
          EXPECT_EQ(writers, 0);
          weft::yield();
          --readers;
        }
      });
    for (int g = 0; g < 2; ++g)
      all.go([&] {
        for (int i = 0; i < 5; ++i) {
          const std::lock_guard held(m);
          EXPECT_EQ(++writers, 1);
          EXPECT_EQ(readers, 0);
          weft::yield();
          --writers;
        }
      });
    all.wait();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST(CondSim, BoundedBuffer) {
  explore([] {
    weft::mutex m;
    weft::cond changed;
    int items = 0;
    int produced = 0;
    int consumed = 0;
    weft::wait_group all;
    for (int g = 0; g < 2; ++g) {
      all.go([&] {
        for (int i = 0; i < 8; ++i) {
          std::unique_lock held(m);
          changed.wait(held, [&] { return items < 2; });
          ++items;
          ++produced;
          changed.broadcast();
        }
      });
      all.go([&] {
        for (int i = 0; i < 8; ++i) {
          std::unique_lock held(m);
          changed.wait(held, [&] { return items > 0; });
          --items;
          ++consumed;
          changed.broadcast();
        }
      });
    }
    all.wait();
    EXPECT_EQ(produced, 16);
    EXPECT_EQ(consumed, 16);
    EXPECT_EQ(items, 0);
  });
}

TEST(CondSim, ASignalPerWaiterWakesAll) {
  explore([] {
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
    for (int i = 0; i < 3; ++i) c->signal();
    c.reset();  // all are woken: it may go
    all.wait();
  });
}

TEST(WaitGroupSim, MayDieRightAfterWait) {
  explore([] {
    for (int round = 0; round < 5; ++round) {
      auto wg = std::make_unique<weft::wait_group>();
      std::atomic<int> done{0};
      for (int g = 0; g < 3; ++g) wg->go([&] { ++done; });
      wg->wait();
      wg.reset();
      EXPECT_EQ(done, 3);
    }
  });
}

TEST(OnceSim, RunsOnce) {
  explore([] {
    weft::once once;
    int runs = 0;
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([&] {
        once.call([&] {
          weft::yield();
          ++runs;
        });
        EXPECT_EQ(runs, 1);
      });
    all.wait();
  });
}

TEST(SemaphoreSim, CancellationsLoseNoUnits) {
  explore([] {
    weft::semaphore s(3);
    std::atomic<int> used{0};
    weft::wait_group all;
    for (int g = 0; g < 5; ++g)
      all.go([&, g] {
        for (int i = 0; i < 4; ++i) {
          auto [ctx, cancel] = weft::with_timeout(weft::background(), std::chrono::milliseconds(g));
          const int64_t n = 1 + (g + i) % 3;
          if (!s.acquire(ctx, n)) continue;
          used += static_cast<int>(n);
          EXPECT_LE(used, 3);
          weft::sleep_for(1ms);
          used -= static_cast<int>(n);
          s.release(n);
        }
      });
    all.wait();
    EXPECT_TRUE(s.try_acquire(3));
    s.release(3);
  });
}

}  // namespace
