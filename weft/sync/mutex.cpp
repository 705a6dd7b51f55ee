// SPDX-License-Identifier: Apache-2.0
// The mutex's slow paths: two modes, as in Go.
//
// Normal: waiters queue first in, first out, but a woken waiter competes with arrivals, which have
// the advantage of running already. That is fast, and unfair: a loser goes to the front of the
// queue. A waiter that has waited more than 1 ms turns the mutex to starving: unlock then leaves
// the lock to the first waiter, arrivals neither take it nor spin, they queue at the back. The one
// who gets it turns it back if it was the last or had waited less than 1 ms.
//
// Unlike Go's, unlock gives up the lock and claims the right to wake a waiter in one step. Go drops
// the lock first and looks at the state afterwards, which its collector makes safe. Here, with a
// waiter claimed, at least that one has not had its turn, so the mutex still exists when its queue
// is touched; with none, nothing is touched after the step.
#include "weft/sync/mutex.hpp"

#include "weft/base/panic.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft {
namespace {

// Go's bound between throughput and tail latency. Larger: longer tails under contention; smaller:
// hand-over, with a switch per lock, becomes the rule.
constexpr int64_t starvation_ns = 1'000'000;

// Pauses per round; can_spin() allows four rounds: 1-5 us, about what parking costs.
constexpr int spin_pauses = 30;

}  // namespace

bool mutex::try_lock() noexcept {
  if (rt::sim_enabled) [[unlikely]]
    rt::sim_point();
  uint32_t old = state_.load(rt::relaxed);
  // Ends: each failure means that somebody else's step succeeded; then it is mostly held.
  while ((old & (locked | starving)) == 0) {
    if (state_.compare_exchange(old, old | locked, rt::acquire, rt::relaxed)) {
      rt::race_acquire(this);
      return true;
    }
  }
  return false;
}

void mutex::lock_seen() noexcept {
  if (rt::attention.load(rt::relaxed) != 0) rt::attend();
  uint32_t free = 0;
  // acquire: as in lock().
  if (!state_.compare_exchange(free, locked, rt::acquire, rt::relaxed)) lock_slow();
  rt::race_acquire(this);
}

void mutex::unlock_seen() noexcept {
  rt::race_release(this);
  uint32_t only_locked = locked;
  // release: as in unlock().
  if (!state_.compare_exchange(only_locked, 0, rt::release, rt::relaxed)) unlock_slow();
}

void mutex::lock_slow() noexcept {
  rt::section s(rt::may_park);
  int64_t wait_start_ns = 0;
  bool starved = false;
  bool awake = false;  // we own the bit `woken`
  int round = 0;
  uint32_t old = state_.load(rt::relaxed);
  for (;;) {  // ends when we own it; starving mode bounds how often we lose
    if ((old & (locked | starving)) == locked && rt::can_spin(round)) {
      // Tell unlock that nobody needs waking: we are here.
      if (!awake && (old & woken) == 0 && old / one_waiter != 0 &&
          state_.compare_exchange(old, old | woken, rt::relaxed, rt::relaxed))
        awake = true;
      for (int i = 0; i < rt::arch::spin_rounds(spin_pauses); ++i) rt::arch::spin_hint();
      ++round;
      old = state_.load(rt::relaxed);
      continue;
    }
    uint32_t next = old;
    if ((old & starving) == 0) next |= locked;
    if ((old & (locked | starving)) != 0) next += one_waiter;
    if (starved && (old & locked) != 0) next |= starving;
    if (awake) {
      WEFT_ASSERT((next & woken) != 0);
      next &= ~woken;
    }
    // acquire: partner: the release in unlock().
    if (!state_.compare_exchange(old, next, rt::acquire, rt::relaxed)) continue;
    if ((old & (locked | starving)) == 0) return;

    const bool waited_before = wait_start_ns != 0;
    if (!waited_before) wait_start_ns = rt::now_ns();
    sema_.acquire(waited_before, rt::wait_reason::mutex_lock, this);
    starved = starved || rt::now_ns() - wait_start_ns > starvation_ns;
    old = state_.load(rt::relaxed);
    if ((old & starving) != 0) {
      // Handed over: nobody else can take it, so the bits are ours to put right.
      WEFT_ASSERT((old & (locked | woken)) == 0 && old / one_waiter != 0);
      uint32_t delta = locked - one_waiter;
      if (!starved || old / one_waiter == 1) delta -= starving;
      // acquire: partner: the release in unlock_slow(), through the semaphore as well.
      state_.fetch_add(delta, rt::acquire);
      return;
    }
    awake = true;
    round = 0;
  }
}

void mutex::unlock_slow() noexcept {
  rt::section s;
  uint32_t old = state_.load(rt::relaxed);
  for (;;) {  // ends: each failure means that somebody else's step succeeded
    if ((old & locked) == 0) rt::fatal("sync: unlock of unlocked mutex");
    uint32_t next = old - locked;
    // Handing over counts no waiter: the one who gets it does that.
    bool wakes = (old & starving) != 0;
    if (!wakes && old / one_waiter != 0 && (old & woken) == 0) {
      next = (next - one_waiter) | woken;
      wakes = true;
    }
    // release: partner: the acquire in lock(), lock_slow() and try_lock().
    if (!state_.compare_exchange(old, next, rt::release, rt::relaxed)) continue;
    if (wakes) sema_.release();
    return;
  }
}

}  // namespace weft
