// SPDX-License-Identifier: Apache-2.0
// Debug builds stand in front of the C library's locks and note, per thread, what its goroutine has
// locked and not yet unlocked. std::mutex and std::shared_mutex come here: libstdc++ calls these
// functions by name, and the linker finds ours first.
//
// Only what is locked while a goroutine runs is noted. Callers are found by frame pointers, which
// everything that uses Weft is compiled with; the walk stays within the goroutine's stack.
#include "weft/base/held_locks.hpp"

#if WEFT_HELD_LOCKS

#include <dlfcn.h>
#include <pthread.h>

#include <ctime>

namespace weft::rt {
namespace {

/// Locks held at once beyond this many are not noted. Nobody nests so deeply by hand.
constexpr size_t held_max = 16;

struct held_set {
  size_t count;
  held_lock locks[held_max];
};

thread_local constinit held_set held{};
constinit atomic<goroutine_stack_end> stack_end_hook{nullptr};

__attribute__((noinline)) void note_locked(const void* lock, bool is_rwlock,
                                           const void* frame) noexcept {
  const goroutine_stack_end hook = stack_end_hook.load(acquire);  // partner: watch_held_locks()
  const uintptr_t end = hook != nullptr ? hook() : 0;
  auto at = reinterpret_cast<uintptr_t>(frame);
  if (end == 0 || at >= end || held.count == held_max) return;
  held_lock& noted = held.locks[held.count++];
  noted = {};
  noted.lock = lock;
  noted.is_rwlock = is_rwlock;
  for (uintptr_t& caller : noted.callers) {
    if (at % sizeof(uintptr_t) != 0 || end - at < 2 * sizeof(uintptr_t)) break;
    const auto* record = reinterpret_cast<const uintptr_t*>(at);
    caller = record[1];
    if (record[0] <= at || record[0] >= end) break;
    at = record[0];
  }
}

__attribute__((noinline)) void note_unlocked(const void* lock) noexcept {
  for (size_t n = held.count; n-- > 0;) {
    if (held.locks[n].lock != lock) continue;
    for (size_t i = n + 1; i < held.count; ++i) held.locks[i - 1] = held.locks[i];
    --held.count;
    return;
  }
}

/// The C library's own function of a name, looked up once.
template <class F>
F next(atomic<F>& known, const char* name) noexcept {
  F f = known.load(relaxed);
  if (f == nullptr) {
    f = reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
    known.store(f, relaxed);
  }
  return f;
}

}  // namespace

void watch_held_locks(goroutine_stack_end stack_end) noexcept {
  stack_end_hook.store(stack_end, release);  // partner: note_locked()
}
__attribute__((noinline)) size_t held_locks() noexcept { return held.count; }
__attribute__((noinline)) held_lock held_lock_at(size_t n) noexcept { return held.locks[n]; }
__attribute__((noinline)) void forget_held_locks() noexcept { held.count = 0; }

}  // namespace weft::rt

// The C library's declarations of these functions are what the definitions must agree with.
#define WEFT_LOCKS(name, is_rwlock, parameters, arguments)                               \
  extern "C" WEFT_API int name parameters noexcept {                                     \
    static constinit weft::rt::atomic<int(*) parameters> known{nullptr};                 \
    const int failed = weft::rt::next(known, #name) arguments;                           \
    if (failed == 0) weft::rt::note_locked(lock, is_rwlock, __builtin_frame_address(0)); \
    return failed;                                                                       \
  }
#define WEFT_UNLOCKS(name, parameters)                                   \
  extern "C" WEFT_API int name parameters noexcept {                     \
    static constinit weft::rt::atomic<int(*) parameters> known{nullptr}; \
    weft::rt::note_unlocked(lock);                                       \
    return weft::rt::next(known, #name)(lock);                           \
  }

WEFT_LOCKS(pthread_mutex_lock, false, (pthread_mutex_t * lock), (lock))
WEFT_LOCKS(pthread_mutex_trylock, false, (pthread_mutex_t * lock), (lock))
WEFT_LOCKS(pthread_mutex_timedlock, false, (pthread_mutex_t * lock, const timespec* until),
           (lock, until))
WEFT_LOCKS(pthread_mutex_clocklock, false,
           (pthread_mutex_t * lock, clockid_t clock, const timespec* until), (lock, clock, until))
WEFT_UNLOCKS(pthread_mutex_unlock, (pthread_mutex_t * lock))
WEFT_LOCKS(pthread_rwlock_rdlock, true, (pthread_rwlock_t * lock), (lock))
WEFT_LOCKS(pthread_rwlock_wrlock, true, (pthread_rwlock_t * lock), (lock))
WEFT_LOCKS(pthread_rwlock_tryrdlock, true, (pthread_rwlock_t * lock), (lock))
WEFT_LOCKS(pthread_rwlock_trywrlock, true, (pthread_rwlock_t * lock), (lock))
WEFT_LOCKS(pthread_rwlock_timedrdlock, true, (pthread_rwlock_t * lock, const timespec* until),
           (lock, until))
WEFT_LOCKS(pthread_rwlock_timedwrlock, true, (pthread_rwlock_t * lock, const timespec* until),
           (lock, until))
WEFT_LOCKS(pthread_rwlock_clockrdlock, true,
           (pthread_rwlock_t * lock, clockid_t clock, const timespec* until), (lock, clock, until))
WEFT_LOCKS(pthread_rwlock_clockwrlock, true,
           (pthread_rwlock_t * lock, clockid_t clock, const timespec* until), (lock, clock, until))
WEFT_UNLOCKS(pthread_rwlock_unlock, (pthread_rwlock_t * lock))

#endif
