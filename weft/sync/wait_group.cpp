// SPDX-License-Identifier: Apache-2.0
// wait_group: one word counts both sides, so exactly one add() sees "zero, and somebody waits".
//
// A waiter counts itself in and queues under the lock, so the add() that reaches zero finds every
// counted waiter in the queue. It empties the queue, unlocks, and wakes: nothing of the object is
// touched after the unlock, and nobody it could be destroyed by runs before.
#include "weft/sync/wait_group.hpp"

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft {
namespace {

[[noreturn]] void panic_misuse() {
  panic("sync: WaitGroup misuse: Add called concurrently with Wait");
}

}  // namespace

void wait_group::add(int delta) {
  if (rt::sim_enabled) [[unlikely]]
    rt::sim_point();
  if (delta < 0) rt::race_release(this);
  const uint64_t change = static_cast<uint64_t>(static_cast<int64_t>(delta)) << 32;
  // acq_rel: every done() happens before wait() returns, through the done() that wakes it.
  const uint64_t state = state_.fetch_add(change, rt::acq_rel) + change;
  const int32_t counter = counter_of(state);
  if (counter < 0) panic("sync: negative WaitGroup counter");
  // The first add() must be ordered with wait(): as if it read what the first waiter writes.
  if (delta > 0 && counter == delta) race_note(true, __builtin_return_address(0));
  if (waiters_of(state) == 0) return;
  if (delta > 0 && counter == delta) panic_misuse();
  if (counter == 0) wake_waiters(state);
}

void wait_group::race_note(bool read, void* call_pc) noexcept {
  const rt::race_caller user(call_pc);
  if (read)
    rt::race_read(&lock_);
  else
    rt::race_write(&lock_);
}

WEFT_UNCHECKED void wait_group::wake_waiters(uint64_t seen) {
  bool misused;
  {
    const rt::section s;
    rt::sudog* chain = nullptr;
    rt::sudog** tail = &chain;
    lock_.lock();
    // The counter is zero and somebody waits: only misuse can have changed the word.
    misused = !state_.compare_exchange(seen, 0, rt::relaxed, rt::relaxed);
    while (!misused) {
      rt::sudog* sg = queue_.dequeue();
      if (sg == nullptr) break;
      *tail = sg;
      tail = &sg->next;
    }
    lock_.unlock();
    while (chain != nullptr) {
      rt::sudog* sg = chain;
      chain = sg->next;
      rt::wake(sg, true);
    }
  }
  if (misused) panic_misuse();
}

WEFT_UNCHECKED void wait_group::wait() {
  if (rt::sim_enabled) [[unlikely]]
    rt::sim_point();
  // acquire: partner: the release in add().
  if (counter_of(state_.load(rt::acquire)) == 0) {
    rt::race_acquire(this);
    return;
  }
  bool reused;
  {
    const rt::section s(rt::may_park);
    lock_.lock();
    uint64_t state = state_.load(rt::acquire);
    do {  // ends: each failure means that somebody else's step succeeded
      if (counter_of(state) == 0) {
        lock_.unlock();
        rt::race_acquire(this);
        return;
      }
    } while (!state_.compare_exchange(state, state + 1, rt::acquire, rt::acquire));
    if (waiters_of(state) == 0) race_note(false, __builtin_return_address(0));
    rt::sudog self;
    self.g = rt::current();
    queue_.push_back(&self);
    rt::park_unlock(lock_, rt::wait_reason::wait_group_wait, this);
    rt::race_acquire(this);
    reused = state_.load(rt::relaxed) != 0;
  }
  if (reused) panic("sync: WaitGroup is reused before previous Wait has returned");
}

}  // namespace weft
