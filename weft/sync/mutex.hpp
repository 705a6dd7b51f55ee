// SPDX-License-Identifier: Apache-2.0
// mutex: mutual exclusion between goroutines and threads; std lockable. Go's algorithm (mutex.cpp).
//
// Not recursive, and without an owner: any goroutine may unlock. Unlocking an unlocked mutex is
// fatal. Uncontended, lock and unlock are one atomic instruction each and do not touch the
// scheduler. A waiter parks; the thread runs other goroutines.
//
// May be destroyed as soon as nobody holds it or waits for it, also while the last unlock() is
// still returning on another thread: unlock touches nothing once somebody else can have the lock
// without its help.
#pragma once

#include <cstdint>
#include <mutex>  // std::lock_guard and the others that it is used with

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/sema.hpp"

namespace weft {
namespace rt {
extern atomic<uint32_t> attention;  // sched/internal/section.hpp
void attend() noexcept;
}  // namespace rt

class WEFT_API mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) WEFT_DELETED("weft: a mutex is not copied: refer to it");
  mutex& operator=(const mutex&) = delete;

  /// May park.
  void lock() noexcept {
    if constexpr (rt::race_enabled) return lock_seen();
    if (rt::attention.load(rt::relaxed) != 0) [[unlikely]]
      rt::attend();
    uint32_t free = 0;
    // acquire: partner: the release in unlock().
    if (!state_.compare_exchange(free, locked, rt::acquire, rt::relaxed)) [[unlikely]]
      lock_slow();
  }
  /// Never parks. False if it is held, or promised to a waiter that has starved.
  [[nodiscard]] bool try_lock() noexcept;
  /// Never parks. Fatal `sync: unlock of unlocked mutex`.
  void unlock() noexcept {
    if constexpr (rt::race_enabled) return unlock_seen();
    uint32_t only_locked = locked;
    // release: partner: the acquire in lock() and lock_slow().
    if (!state_.compare_exchange(only_locked, 0, rt::release, rt::relaxed)) [[unlikely]]
      unlock_slow();
  }

 private:
  // state_: bits below, and the number of waiters above them.
  static constexpr uint32_t locked = 1;
  static constexpr uint32_t woken = 2;     // a waiter is awake and will try: wake no other
  static constexpr uint32_t starving = 4;  // unlock hands over; arrivals queue
  static constexpr uint32_t one_waiter = 8;

  // What the detector sees of a mutex is in mutex.cpp: its edges, and not its words.
  void lock_seen() noexcept;
  void unlock_seen() noexcept;
  void lock_slow() noexcept;
  void unlock_slow() noexcept;

  rt::atomic<uint32_t> state_{0};
  rt::sema sema_;
};

}  // namespace weft
