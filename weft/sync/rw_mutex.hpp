// SPDX-License-Identifier: Apache-2.0
// rw_mutex: many readers or one writer; std lockable and shared lockable.
//
// Writers are preferred: once lock() waits, new readers wait until that writer has run; readers
// that are in finish first. At unlock() all readers that wait enter before the next writer. So a
// reader must not lock again what it holds: a writer in between makes that a deadlock. There is
// no upgrade. Unlocking what is not locked is fatal.
//
// Readers that meet no writer cost one atomic instruction each way. May be destroyed as soon as
// nobody holds it or waits for it.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft {
namespace rt {
extern atomic<uint32_t> attention;  // sched/internal/section.hpp
void attend() noexcept;
}  // namespace rt

class WEFT_API rw_mutex {
 public:
  constexpr rw_mutex() noexcept = default;
  ~rw_mutex();
  rw_mutex(const rw_mutex&) WEFT_DELETED("weft: a rw_mutex is not copied: refer to it");
  rw_mutex& operator=(const rw_mutex&) = delete;

  /// May park.
  void lock() noexcept;
  /// Never parks.
  [[nodiscard]] bool try_lock() noexcept;
  /// Never parks. Fatal `sync: Unlock of unlocked RWMutex`.
  void unlock() noexcept;

  /// May park.
  void lock_shared() noexcept {
    if constexpr (rt::race_enabled) return lock_shared_seen();
    if (rt::attention.load(rt::relaxed) != 0) [[unlikely]]
      rt::attend();
    // acquire: partner: the release in unlock().
    if (readers_.fetch_add(1, rt::acquire) + 1 < 0) [[unlikely]]
      lock_shared_slow();
  }
  /// Never parks. False while a writer holds it or waits for it.
  [[nodiscard]] bool try_lock_shared() noexcept;
  /// Never parks. Fatal `sync: RUnlock of unlocked RWMutex`.
  void unlock_shared() noexcept {
    if constexpr (rt::race_enabled) return unlock_shared_seen();
    // release: partner: the acquire in lock() and try_lock().
    const int32_t left = readers_.fetch_sub(1, rt::release) - 1;
    if (left < 0) [[unlikely]]
      unlock_shared_slow(left);
  }

 private:
  static constexpr int32_t readers_max = 1 << 30;  // Go's limit

  // What the detector sees are edges, and not the words: rw_mutex.cpp.
  void lock_shared_seen() noexcept;
  void unlock_shared_seen() noexcept;
  void lock_to_write() noexcept;
  void lock_shared_slow() noexcept;
  void unlock_shared_slow(int32_t left) noexcept;

  /// Readers that are in or wait; minus readers_max while a writer holds it or waits for readers.
  rt::atomic<int32_t> readers_{0};
  rt::futex_mutex lock_{rt::lock_rank::sync};
  /// A writer holds it, or waits for readers in `draining_`.
  bool writer_ WEFT_GUARDED_BY(lock_) = false;
  /// Readers that the writer still waits for.
  int32_t readers_to_leave_ WEFT_GUARDED_BY(lock_) = 0;
  /// Readers that unlock() has let in before they had queued.
  int32_t admitted_ WEFT_GUARDED_BY(lock_) = 0;
  rt::sudog* draining_ WEFT_GUARDED_BY(lock_) = nullptr;
  rt::wait_queue waiting_readers_ WEFT_GUARDED_BY(lock_);
  rt::wait_queue waiting_writers_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft
