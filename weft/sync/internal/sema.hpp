// SPDX-License-Identifier: Apache-2.0
// sema: the sleeping place of a mutex; a counting semaphore with a queue of its own.
//
// Invariant: permits > 0 implies the queue is empty. Otherwise somebody sleeps beside a permit.
#pragma once

#include "weft/base/futex_mutex.hpp"
#include "weft/sched/internal/goroutine.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft::rt {

class sema {
 public:
  constexpr sema() noexcept = default;
  /// Takes a permit, parking until there is one; `lifo` queues at the front. Needs a
  /// section(may_park).
  void acquire(bool lifo, wait_reason why, const void* on) noexcept;
  /// Gives a permit, to the first waiter if there is one. The object may be gone when it returns,
  /// if the waiter lets it go. Needs a section.
  void release() noexcept;

 private:
  futex_mutex lock_{lock_rank::sync};
  uint32_t permits_ WEFT_GUARDED_BY(lock_) = 0;
  wait_queue queue_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft::rt
