// SPDX-License-Identifier: Apache-2.0
// The runtime's own lock: blocks the thread on a futex. Short sections only, never across a park,
// user code or an allocation. The three-state mutex of U. Drepper, "Futexes are tricky" (2011), §5,
// with a second, cheaper way to unlock.
//
// unlock() is one exchange: nothing of the lock is touched once another thread may own it, and so
// destroy it. unlock_kept() is for callers who keep the lock alive (they hold a reference to what
// it is in, or it lasts for ever): a plain store, then a look for sleepers. A thread that is about
// to sleep pays for the fence between the two (Dekker, with heavy_fence() on the rare side):
//
//   unlock_kept:  state = 0; light fence; sleepers?  -> wake one
//   lock_slow:    ++sleepers; heavy fence; state = 2, unless it was 0; sleep while it is 2
//
// If the store of 0 comes after the sleeper's 2, the load behind it comes after the heavy fence and
// sees the sleeper. If it comes before, the sleeper finds 0. Otherwise a thread would sleep at a
// free lock.
#pragma once

#include "weft/base/arch/arch.hpp"
#include "weft/base/atomic.hpp"
#include "weft/base/lock_rank.hpp"
#include "weft/base/os/os.hpp"

#if defined(__clang__)
#define WEFT_CAPABILITY(name) __attribute__((capability(name)))
#define WEFT_GUARDED_BY(lock) __attribute__((guarded_by(lock)))
#define WEFT_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define WEFT_ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define WEFT_RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define WEFT_TRY_ACQUIRES(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define WEFT_UNCHECKED __attribute__((no_thread_safety_analysis))
#define WEFT_SCOPED_CAPABILITY __attribute__((scoped_lockable))
#else
#define WEFT_CAPABILITY(name)
#define WEFT_GUARDED_BY(lock)
#define WEFT_REQUIRES(...)
#define WEFT_ACQUIRES(...)
#define WEFT_RELEASES(...)
#define WEFT_TRY_ACQUIRES(...)
#define WEFT_UNCHECKED
#define WEFT_SCOPED_CAPABILITY
#endif

namespace weft::rt {

#ifdef WEFT_DEBUG_BUILD
/// Checks `rank` against what this thread holds; lock_rank.cpp.
void lock_rank_acquire(lock_rank rank, const void* lock) noexcept;
void lock_rank_release(lock_rank rank, const void* lock) noexcept;
#else
inline void lock_rank_acquire(lock_rank, const void*) noexcept {}
inline void lock_rank_release(lock_rank, const void*) noexcept {}
#endif

class WEFT_CAPABILITY("futex_mutex") futex_mutex {
 public:
  constexpr explicit futex_mutex(lock_rank rank) noexcept : rank_(rank) {}
  futex_mutex(const futex_mutex&) = delete;
  futex_mutex& operator=(const futex_mutex&) = delete;

  void lock() noexcept WEFT_ACQUIRES() {
    lock_rank_acquire(rank_, this);
    uint32_t expected = 0;
    if (!state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]
      lock_slow();
  }
  [[nodiscard]] bool try_lock() noexcept WEFT_TRY_ACQUIRES(true) {
    uint32_t expected = 0;
    if (!state_.compare_exchange(expected, 1, acquire, relaxed)) return false;
    lock_rank_acquire(rank_, this);
    return true;
  }
  void unlock() noexcept WEFT_RELEASES() {
    lock_rank_release(rank_, this);
    // release: partner is the acquire in lock() and lock_slow().
    if (state_.exchange(0, release) == 2) [[unlikely]]
      os::futex_wake(state_, 1);
  }
  /// For callers who keep the lock alive until this returns. See the top.
  void unlock_kept() noexcept WEFT_RELEASES() {
    lock_rank_release(rank_, this);
    state_.store(0, release);  // partner: as in unlock()
    os::light_fence();         // partner: heavy_fence() in lock_slow()
    if (sleepers_.load(relaxed) != 0) [[unlikely]]
      os::futex_wake(state_, 1);
  }

 private:
  // Sections are tens of nanoseconds and the holder is never parked: spin first. Looking ever more
  // rarely lets the holder do a run of sections with the lock and what it protects in its cache;
  // looking all the time moves them at every section (64 pauses: some 1-2 us). In all about 10 us,
  // more than a futex round trip costs and much more than a section.
  static constexpr int pauses_max = 64;
  static constexpr int looks_max = 14;
  __attribute__((noinline)) void lock_slow() noexcept {
    int pauses = 1;
    for (int look = 0; look < arch::spin_rounds(looks_max); ++look) {
      for (int i = 0; i < pauses; ++i) arch::spin_hint();
      if (pauses < pauses_max) pauses *= 2;
      uint32_t expected = 0;
      if (state_.load(relaxed) == 0 && state_.compare_exchange(expected, 1, acquire, relaxed))
        return;
    }
    sleepers_.fetch_add(1, relaxed);
    os::heavy_fence();  // partner: light_fence() in unlock_kept()
    // 2: somebody may sleep. Whoever takes the lock here leaves 2, so no wake-up is lost.
    while (state_.exchange(2, acquire) != 0) os::futex_wait(state_, 2, -1);
    sleepers_.fetch_sub(1, relaxed);
  }

  atomic<uint32_t> state_{0};     // 0 free, 1 held, 2 held and somebody may sleep
  atomic<uint32_t> sleepers_{0};  // threads in the last part of lock_slow(); written by them
  lock_rank rank_;
};

/// Scope of a held futex_mutex.
class WEFT_SCOPED_CAPABILITY lock_scope {
 public:
  explicit lock_scope(futex_mutex& m) noexcept WEFT_ACQUIRES(m) : lock_(m) { lock_.lock(); }
  ~lock_scope() WEFT_RELEASES() { lock_.unlock(); }
  lock_scope(const lock_scope&) = delete;
  lock_scope& operator=(const lock_scope&) = delete;

 private:
  futex_mutex& lock_;
};

/// The same for a lock that outlives the scope: ends with unlock_kept().
class WEFT_SCOPED_CAPABILITY kept_lock_scope {
 public:
  explicit kept_lock_scope(futex_mutex& m) noexcept WEFT_ACQUIRES(m) : lock_(m) { lock_.lock(); }
  ~kept_lock_scope() WEFT_RELEASES() { lock_.unlock_kept(); }
  kept_lock_scope(const kept_lock_scope&) = delete;
  kept_lock_scope& operator=(const kept_lock_scope&) = delete;

 private:
  futex_mutex& lock_;
};

}  // namespace weft::rt
