// SPDX-License-Identifier: Apache-2.0
// cond: waiting for a condition that a lock protects.
//
//   std::unique_lock held(m);
//   ready.wait(held, [&] { return !queue.empty(); });
//
// wait() queues, then unlocks, then parks: a signal() after the unlock is never lost. There are no
// spurious wake-ups; the condition may still be false again when the lock is back. signal() wakes
// who has waited longest. Works with mutex, rw_mutex, std::unique_lock and std::shared_lock of
// them: anything with lock() and unlock(). May be destroyed once every waiter has been woken.
#pragma once

#include <cstdint>

#include "weft/base/export.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft {

class WEFT_API cond {
 public:
  constexpr cond() noexcept = default;
  cond(const cond&) WEFT_DELETED("weft: a cond is not copied: refer to it");
  cond& operator=(const cond&) = delete;

  /// Unlocks `lock`, parks until woken, locks it again.
  template <class Lockable>
  void wait(Lockable& lock) {
    waiter self;
    enqueue(self);
    if constexpr (noexcept(lock.unlock())) {
      lock.unlock();
    } else {
      try {
        lock.unlock();
      } catch (...) {  // std::unique_lock throws if it does not hold its lock
        abandon(self);
        throw;
      }
    }
    sleep(self);
    lock.lock();
  }
  /// Waits while `condition()` is false.
  template <class Lockable, class Condition>
  void wait(Lockable& lock, Condition condition) {
    while (!condition()) wait(lock);
  }

  /// Wakes who has waited longest, if anybody. The lock need not be held. Never parks.
  void signal() noexcept;
  /// Wakes all who wait now.
  void broadcast() noexcept;
  void notify_one() noexcept { signal(); }
  void notify_all() noexcept { broadcast(); }

 private:
  struct waiter {
    rt::sudog sg;
    /// waiting, then parked or notified; parked, then notified. See cond.cpp.
    rt::atomic<uint32_t> state{0};
  };
  static constexpr uint32_t waiting = 0;
  static constexpr uint32_t parked = 1;
  static constexpr uint32_t notified = 2;

  void enqueue(waiter& self) noexcept;
  void sleep(waiter& self) noexcept;
  void sleep_until_notified(waiter& self) noexcept;
  void abandon(waiter& self) noexcept;
  static void notify(waiter* w) noexcept;
  static waiter* owner_of(rt::sudog* sg) noexcept { return static_cast<waiter*>(sg->element); }

  rt::futex_mutex lock_{rt::lock_rank::sync};
  rt::wait_queue queue_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft
