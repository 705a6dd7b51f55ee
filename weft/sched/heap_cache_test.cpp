// SPDX-License-Identifier: Apache-2.0
// Caches of the heap follow Ps: whatever happens to threads, no object is handed out twice, and
// threads that block hold no cache.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "weft/heap/alloc.hpp"
#include "weft/heap/stats.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

using namespace std::chrono_literals;
using weft::rt::heap_allocate;
using weft::rt::heap_free;

namespace {

struct object {
  unsigned char* at;
  size_t bytes;
  unsigned char fill;

  explicit object(std::mt19937& random)
      : bytes(1 + random() % 700), fill(static_cast<unsigned char>(random())) {
    at = static_cast<unsigned char*>(heap_allocate(bytes));
    std::memset(at, fill, bytes);
  }
  void end() {
    for (size_t i = 0; i < bytes; i += 37) EXPECT_EQ(at[i], fill);
    heap_free(at);
  }
};

/// Allocates, frees, and does what takes a P away, `rounds` times.
void churn(unsigned seed, int rounds) {
  std::mt19937 random(seed);
  std::vector<object> kept;
  for (int i = 0; i < rounds; ++i) {
    for (int k = 0; k < 20; ++k) kept.emplace_back(random);
    switch (random() % 8) {
      case 0:
        ::usleep(500);  // unannounced: the P goes on without this thread, which keeps its cache
        break;
      case 1:
        weft::blocking([&] {
          kept.emplace_back(random);  // without a P
          ::usleep(100);              // what is tested: a call that blocks
        });
        break;
      case 2:
        weft::sleep_for(50us);
        break;
      default:
        weft::yield();
    }
    while (kept.size() > 30) {
      std::swap(kept[random() % kept.size()], kept.back());
      kept.back().end();
      kept.pop_back();
    }
  }
  for (object& o : kept) o.end();
}

TEST(HeapCache, FollowsPsThroughRetakesAndMigration) {
  weft::run({.procs = 2}, [] {
    std::vector<weft::task<void>> running;
    for (unsigned g = 0; g < 24; ++g) running.push_back(weft::spawn([g] { churn(g, 60); }));
    std::thread guest([] {
      std::mt19937 random(99);
      for (int i = 0; i < 2000; ++i) object(random).end();
    });
    for (int n : {1, 3, 2, 4, 2}) {
      weft::maxprocs(n);
      weft::sleep_for(5ms);
    }
    for (auto& t : running) t.join();
    guest.join();
  });
}

TEST(HeapCache, ThreadsThatBlockHoldNone) {
  constexpr int blocked_threads = 40;
  int gate[2] = {-1, -1};
  ASSERT_EQ(pipe(gate), 0);
  weft::run({.procs = 2}, [&] {
    std::atomic<int> blocked{0};
    std::vector<weft::task<void>> running;
    for (unsigned g = 0; g < blocked_threads; ++g)
      running.push_back(weft::spawn([&, g] {
        std::mt19937 random(g);
        object(random).end();
        weft::blocking([&] {
          ++blocked;
          char byte = 0;
          EXPECT_EQ(read(gate[0], &byte, 1), 1);
        });
      }));
    while (blocked != blocked_threads) weft::yield();
    // This goroutine's, one of a thread that looks for work, the sampler's, one of another test's
    // thread: not forty.
    EXPECT_LE(weft::heap_stats().caches_in_use, 8u);
    for (int i = 0; i < blocked_threads; ++i) EXPECT_EQ(write(gate[1], "x", 1), 1);
    for (auto& t : running) t.join();
  });
  close(gate[0]);
  close(gate[1]);
}

}  // namespace
