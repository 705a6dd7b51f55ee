// SPDX-License-Identifier: Apache-2.0
// The thread that counts the time for quiet_sleep().
#include "weft/sched/internal/quiet_clock.hpp"

#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

struct quiet_clock {
  futex_mutex lock{lock_rank::leaf};
  goroutine* waiter WEFT_GUARDED_BY(lock) = nullptr;
  int64_t when WEFT_GUARDED_BY(lock) = 0;
  bool woken WEFT_GUARDED_BY(lock) = false;  // before it slept
  atomic<uint32_t> started{0};
  /// Raised with each change; the thread sleeps on it.
  atomic<uint32_t> changes{0};

  bool start() noexcept;
  void tell() noexcept {
    changes.fetch_add(1, seq_cst);
    os::futex_wake(changes, 1);
  }
  /// Who is due, or null and how long nobody is: -1 for ever.
  goroutine* take_due(int64_t& sleep_ns) noexcept;
  [[noreturn]] void count_for_ever() noexcept;
};
quiet_clock the_clock;

void clock_main(void*) {
  adopt_system_thread();
  heap_drop_cache();  // it allocates nothing
  the_clock.count_for_ever();
}

bool quiet_clock::start() noexcept {
  // Not under the lock: a thread's start allocates.
  uint32_t none = 0;
  if (!started.compare_exchange(none, 1, relaxed, relaxed)) return true;
  // Before it can be counted by /proc: the check errs to life.
  sched.quiet_threads.fetch_add(1, seq_cst);
  if (os::start_thread(clock_main, nullptr, 64 * 1024, "weft-clock", false) != 0) {
    sched.quiet_threads.fetch_sub(1, seq_cst);
    started.store(0, relaxed);
    return false;
  }
  return true;
}

goroutine* quiet_clock::take_due(int64_t& sleep_ns) noexcept {
  kept_lock_scope hold(lock);
  sleep_ns = -1;
  if (waiter == nullptr) return nullptr;
  sleep_ns = when - os::monotonic_ns();
  if (sleep_ns > 0) return nullptr;
  goroutine* gp = waiter;
  waiter = nullptr;
  return gp;
}

void quiet_clock::count_for_ever() noexcept {
  for (;;) {
    const uint32_t seen = changes.load(seq_cst);
    int64_t sleep_ns = 0;
    if (goroutine* gp = take_due(sleep_ns); gp != nullptr) {
      inject_first(gp);
      continue;
    }
    os::futex_wait(changes, seen, sleep_ns);
  }
}

bool commit_sleep(goroutine* gp, void* argument) noexcept {
  kept_lock_scope hold(the_clock.lock);
  if (the_clock.woken) {
    the_clock.woken = false;
    return false;
  }
  WEFT_ASSERT(the_clock.waiter == nullptr);
  the_clock.waiter = gp;
  the_clock.when = os::monotonic_ns() + *static_cast<const int64_t*>(argument);
  the_clock.tell();
  return true;
}

}  // namespace

bool quiet_clock_ready() noexcept { return the_clock.start(); }

void quiet_sleep(int64_t ns) noexcept {
  const section entered(may_park);
  park(commit_sleep, &ns, wait_reason::sleep, &the_clock);
}

void quiet_wake() noexcept {
  const section entered(leaf);
  goroutine* gp = nullptr;
  {
    kept_lock_scope hold(the_clock.lock);
    gp = the_clock.waiter;
    the_clock.waiter = nullptr;
    the_clock.woken = gp == nullptr;
  }
  if (gp != nullptr) ready(gp);
}

}  // namespace weft::rt
