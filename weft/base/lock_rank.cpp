// SPDX-License-Identifier: Apache-2.0
// Checks the order of locks: the rule of lock_rank.hpp, applied to what a thread holds.
#include "weft/base/lock_rank.hpp"

#include <cstddef>
#include <functional>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/lock_rank_check.hpp"
#include "weft/base/panic.hpp"

namespace weft::rt {

const char* lock_rank_name(lock_rank rank) noexcept {
  constexpr const char* names[] = {"sim",       "retake",  "context", "sync",       "channel",
                                   "poll",      "sched",   "timers",  "g_pool",     "stack",
                                   "names",     "checked", "sampler", "cache_pool", "central",
                                   "page_heap", "log",     "leaf"};
  static_assert(sizeof(names) / sizeof(names[0]) == static_cast<size_t>(lock_rank::leaf) + 1);
  return names[static_cast<size_t>(rank)];
}

namespace {

/// Ranks of which a thread may hold several locks, taken by increasing address (lock_rank.hpp).
constexpr bool is_ordered(lock_rank rank) noexcept {
  return rank == lock_rank::channel || rank == lock_rank::timers || rank == lock_rank::central;
}

}  // namespace

const char* held_locks::refuse(lock_rank rank, const void* lock) const noexcept {
  for (int i = 0; i < count_; ++i) {
    if (held_[i].lock == lock)
      return "lock order: this thread already holds the lock (rank %d, last taken %d)";
  }
  if (count_ == 0) return nullptr;
  const held& last = held_[count_ - 1];
  if (rank > last.rank) return nullptr;
  if (rank < last.rank) return "lock order: rank %d taken under rank %d";
  if (!is_ordered(rank)) return "lock order: rank %d taken under rank %d, which allows one lock";
  // std::less: a total order even for pointers into different objects.
  if (std::less<>{}(last.lock, lock)) return nullptr;
  return "lock order: rank %d taken under rank %d against address order";
}

void held_locks::acquire(lock_rank rank, const void* lock) noexcept {
  if (const char* wrong = refuse(rank, lock)) {
    // Numbers, not names: bug() formats no strings. They count from 0 down the table of ranks.
    lock_rank last = count_ > 0 ? held_[count_ - 1].rank : rank;
    bug(wrong, static_cast<int64_t>(rank), static_cast<int64_t>(last));
  }
  if (count_ == held_max)
    ++unchecked_;
  else
    held_[count_++] = {lock, rank};
}

void held_locks::release(lock_rank rank, const void* lock) noexcept {
  // From the end: locks are nearly always released in reverse order.
  for (int i = count_ - 1; i >= 0; --i) {
    if (held_[i].lock != lock) continue;
    for (int j = i; j + 1 < count_; ++j) held_[j] = held_[j + 1];
    --count_;
    return;
  }
  if (unchecked_ > 0) {
    --unchecked_;
    return;
  }
  bug("lock order: released a lock of rank %d that this thread does not hold",
      static_cast<int64_t>(rank));
}

#ifdef WEFT_DEBUG_BUILD
namespace {

// noinline: the address must not be remembered across a switch to another thread.
__attribute__((noinline)) held_locks& held_by_this_thread() noexcept {
  static thread_local held_locks held;
  return held;
}

}  // namespace

void lock_rank_acquire(lock_rank rank, const void* lock) noexcept {
  held_by_this_thread().acquire(rank, lock);
}
void lock_rank_release(lock_rank rank, const void* lock) noexcept {
  held_by_this_thread().release(rank, lock);
}
#endif

}  // namespace weft::rt
