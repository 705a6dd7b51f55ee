// SPDX-License-Identifier: Apache-2.0
// semaphore: a number of units, taken and given back in any amounts (golang.org/x/sync/semaphore).
//
// First come, first served: a large request is not overtaken by small ones behind it. What happened
// before release() has happened when the acquire() it serves returns.
#pragma once

#include <cstdint>

#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft {

class WEFT_API semaphore {
 public:
  constexpr explicit semaphore(int64_t units) noexcept : free_(units), size_(units) {}
  semaphore(const semaphore&) WEFT_DELETED("weft: a semaphore is not copied: refer to it");
  semaphore& operator=(const semaphore&) = delete;

  /// Parks until `n` units are free, and takes them; or until `ctx` is done: ctx.err(), and nothing
  /// is taken. More units than there are: waits for ctx.
  [[nodiscard]] result<void> acquire(const context& ctx, int64_t n = 1);
  /// The same without a way out.
  void acquire(int64_t n = 1);
  /// Never parks. False if they are not free now, or somebody waits already.
  [[nodiscard]] bool try_acquire(int64_t n = 1) noexcept;
  /// Panics `semaphore: released more than held`. Never parks.
  void release(int64_t n = 1);

 private:
  [[nodiscard]] result<void> acquire_unseen(const context& ctx, int64_t n);
  [[nodiscard]] bool take_locked(int64_t n) noexcept WEFT_REQUIRES(lock_);
  [[nodiscard]] rt::sudog* grant_locked() noexcept WEFT_REQUIRES(lock_);
  void give_back(int64_t n) noexcept;

  rt::futex_mutex lock_{rt::lock_rank::sync};
  int64_t free_ WEFT_GUARDED_BY(lock_);
  const int64_t size_;
  /// sudog::ticket: how many. sudog::c: a channel on the waiter's stack, closed to grant.
  rt::wait_queue queue_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft
