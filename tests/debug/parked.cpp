// SPDX-License-Identifier: Apache-2.0
// A program whose goroutines are parked in functions with known names; gdb reads it (run.py). Says
// `parked` on stdout when all of them are.
#include <chrono>
#include <cstdio>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"

#define FRAME [[gnu::noinline]]
#define END asm volatile("")

namespace {
weft::chan<int> jobs;
weft::chan<int> results;
weft::mutex gate;
}  // namespace

FRAME void wait_for_job(int shard) {
  (void)jobs.recv();
  asm volatile("" ::"r"(shard));
}
FRAME void deliver_result(int shard) {
  results.send(shard);
  END;
}
FRAME void pass_gate() {
  gate.lock();
  END;
}
FRAME void sleep_long() {
  weft::sleep_for(std::chrono::hours(1));
  END;
}
FRAME void compute() {
  while (true) END;
}
FRAME void never_started() { END; }

/// Waits until `count` goroutines are parked.
void wait_until_parked(uint32_t count) {
  using namespace weft::rt;
  for (uint32_t parked = 0; parked < count;) {
    weft::yield();
    parked = 0;
    for (uint32_t i = 0; i < goroutine_cells(); ++i)
      parked += all_goroutine(i)->get_status() == g_status::waiting;
  }
}

FRAME int keep_main_busy() {
  std::puts("parked");
  std::fflush(stdout);
  // Never parks, and with one P nothing else runs: what was made runnable last stays so.
  compute();
  return 0;
}

int main() {
  // noretake: the busy main goroutine keeps its P.
  return weft::run({.procs = 1}, [] {
    jobs = weft::make_chan<int>();
    results = weft::make_chan<int>();
    gate.lock();
    for (int shard = 0; shard < 20; ++shard) {
      weft::go({.name = "jobs"}, [shard] {
        wait_for_job(shard);
        END;
      });
      weft::go([shard] {
        deliver_result(shard);
        END;
      });
      weft::go(&pass_gate);
      weft::go(&sleep_long);
    }
    wait_until_parked(80);
    weft::go(&never_started);
    return keep_main_busy();
  });
}
