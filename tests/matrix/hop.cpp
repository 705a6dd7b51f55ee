// SPDX-License-Identifier: Apache-2.0
// Forced migration, and the world in which it cannot fail to happen.
#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "matrix.hpp"
#include "weft/sched/run.hpp"

namespace matrix {

namespace {
std::atomic<long> hops{0};
std::atomic<bool> crowd_goes{true};

constexpr long nap_min_ns = 50'000;
// The monitor may itself wait for a CPU: naps grow until it is in time.
constexpr long nap_max_ns = 50'000'000;
}  // namespace

long thread_number() { return ::syscall(SYS_gettid); }

// Not marked noinline, on purpose: it is user code like any other.
void hop() {
  const long before = thread_number();
  const auto start = std::chrono::steady_clock::now();
  for (long nap_ns = nap_min_ns; thread_number() == before;) {
    weft::blocking([nap_ns] {
      const timespec nap{0, nap_ns};
      ::nanosleep(&nap, nullptr);  // sleeps on purpose: this is the call that blocks
    });
    weft::yield();
    if (nap_ns < nap_max_ns) nap_ns *= 2;
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(30)) {
      fail("hop(): on the same thread for 30 seconds", __FILE__, __LINE__);
      return;
    }
  }
  hops.fetch_add(1, std::memory_order_relaxed);
}

long hop_count() { return hops.load(std::memory_order_relaxed); }

crowd::crowd() {
  crowd_goes = true;
  for (int i = 0; i < 2; ++i)
    tasks_.push_back(weft::spawn([] {
      while (crowd_goes.load(std::memory_order_relaxed)) weft::yield();
    }));
}

crowd::~crowd() {
  crowd_goes = false;
  for (auto& t : tasks_) t.join();
}

void run_world(void (*body)(void*), void* argument) {
  // One P: whoever blocks finds it taken, and the crowd never lets it idle. Threads that lost it
  // run beside its holder until their next call that may park, so threads there are in plenty.
  weft::run({.procs = 1}, [&] { body(argument); });
}

}  // namespace matrix
