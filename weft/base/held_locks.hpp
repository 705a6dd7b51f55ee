// SPDX-License-Identifier: Apache-2.0
// Which locks of the C library (std::mutex, std::shared_mutex) the goroutine that runs on this
// thread holds. Debug builds only: elsewhere nobody ever holds any.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"

#if defined(WEFT_DEBUG_BUILD) && !WEFT_ASAN && !WEFT_TSAN
#define WEFT_HELD_LOCKS 1
#else
#define WEFT_HELD_LOCKS 0
#endif

namespace weft::rt {

struct held_lock {
  // lock_guard, mutex::lock and gthreads' wrappers stand between the lock and the user's function
  // when nothing is inlined: 5 frames; std::scoped_lock of several and std::unique_lock have 7.
  static constexpr size_t callers_max = 10;
  const void* lock = nullptr;
  bool is_rwlock = false;
  uintptr_t callers[callers_max] = {};  // return addresses, innermost first; 0: no more
};

/// What sched hands to base: where the stack of the goroutine on this thread ends; 0: none runs
/// here, and what is locked then does not matter. Async-signal-safe.
using goroutine_stack_end = uintptr_t (*)() noexcept;

#if WEFT_HELD_LOCKS
WEFT_API void watch_held_locks(goroutine_stack_end stack_end) noexcept;
/// How many this thread's goroutine holds.
[[nodiscard]] WEFT_API size_t held_locks() noexcept;
[[nodiscard]] WEFT_API held_lock held_lock_at(size_t n) noexcept;
/// The thread changes its goroutine: nobody else is blamed.
WEFT_API void forget_held_locks() noexcept;
#else
inline void watch_held_locks(goroutine_stack_end) noexcept {}
[[nodiscard]] inline size_t held_locks() noexcept { return 0; }
[[nodiscard]] inline held_lock held_lock_at(size_t) noexcept { return {}; }
inline void forget_held_locks() noexcept {}
#endif

}  // namespace weft::rt
