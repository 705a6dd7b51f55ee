// SPDX-License-Identifier: Apache-2.0
// What a sanitizer must be told when one stack is left for another. In a plain build all of this is
// empty.
//
// ThreadSanitizer sees each goroutine as a thread of its own, a *fiber*, and a switch between two
// of them orders nothing: what orders goroutines is said in race.hpp, at exactly the operations
// that Go's memory model names. So a race is seen between two goroutines on one thread, too. The
// runtime's own code is compiled without instrumentation (cmake/weft_layer.cmake).
//
// AddressSanitizer must know which stack is in use, and keeps a goroutine's fake stack for it.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#ifndef WEFT_ASAN
#define WEFT_ASAN 0
#endif

// WEFT_TSAN comes from the build (WEFT_SANITIZE=thread), since the runtime itself is not
// instrumented and its compiler says nothing.
#ifndef WEFT_TSAN
#define WEFT_TSAN 0
#endif
// The model checker has the instrumentation too, and functions of its own behind it.
#if defined(WEFT_MODEL)
#elif defined(__SANITIZE_THREAD__) && !WEFT_TSAN
#error "weft was built without ThreadSanitizer: configure it with -DWEFT_SANITIZE=thread"
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) && !WEFT_TSAN
#error "weft was built without ThreadSanitizer: configure it with -DWEFT_SANITIZE=thread"
#endif
#endif

#if WEFT_ASAN
extern "C" void __lsan_register_root_region(const void* begin, size_t bytes);
extern "C" void* __asan_addr_is_in_fake_stack(void* fake_stack, void* address, void** begin,
                                              void** end);
#endif

namespace weft::rt::sanitizer {

/// What is pointed to from here is no leak. A region costs the check a reading of /proc/self/maps:
/// for a few big ones.
inline void leak_root([[maybe_unused]] const void* begin, [[maybe_unused]] size_t bytes) noexcept {
#if WEFT_ASAN
  __lsan_register_root_region(begin, bytes);
#endif
}

inline constexpr bool address = WEFT_ASAN != 0;
inline constexpr bool thread = WEFT_TSAN != 0;
/// Threads that the sanitizer's own runtime keeps.
inline constexpr int own_threads = thread ? 1 : 0;

#if WEFT_ASAN || WEFT_TSAN
/// A stack as the sanitizer knows it.
class fiber {
 public:
  /// This thread's own stack. `runtime`: a thread of ours, which runs no user code there; nothing
  /// that it does is seen or orders anything.
  void adopt_thread(bool runtime) noexcept;
  /// A goroutine's; `creation_pc` and `id` show in reports. What its creator did so far happens
  /// before what it does, except when the creator is a thread of ours.
  void create(uintptr_t stack_lo, uintptr_t stack_hi, uintptr_t creation_pc, uint64_t id) noexcept;
  /// Its goroutine has ended, and runs no more.
  void destroy() noexcept;
  /// Right before the stack changes to `to`'s. `last`: this one is never resumed.
  inline void leave_for(const fiber& to, bool last) noexcept;
  /// Right after, by the one that goes on.
  inline void resumed() noexcept;
  /// By the first function on a new stack.
  void begun() const noexcept;
#if WEFT_ASAN
  /// The frame that holds `where`, when AddressSanitizer keeps this parked one's frames apart
  /// from its stack.
  [[nodiscard]] bool frame_of(uintptr_t where, uintptr_t& lo, uintptr_t& hi) const noexcept {
    void* begin = nullptr;
    void* end = nullptr;
    if (handle_ == nullptr || __asan_addr_is_in_fake_stack(handle_, reinterpret_cast<void*>(where),
                                                           &begin, &end) == nullptr)
      return false;
    lo = reinterpret_cast<uintptr_t>(begin);
    hi = reinterpret_cast<uintptr_t>(end);
    return true;
  }
#endif

 private:
  void* handle_ = nullptr;  // TSan's fiber, or ASan's fake stack while another stack is in use
  uintptr_t lo_ = 0;        // ASan: the stack
  size_t bytes_ = 0;
};
#else
class fiber {
 public:
  void adopt_thread(bool) noexcept {}
  void create(uintptr_t, uintptr_t, uintptr_t, uint64_t) noexcept {}
  void destroy() noexcept {}
  void leave_for(const fiber&, bool) noexcept {}
  void resumed() noexcept {}
  void begun() const noexcept {}
};
#endif

#if WEFT_ASAN
/// What is about to be put there by hand lies among redzones of frames that never returned.
void unpoison(uintptr_t lo, size_t bytes) noexcept;
#else
inline void unpoison(uintptr_t, size_t) noexcept {}
#endif

#if WEFT_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}
inline constexpr unsigned no_sync = 1;  // __tsan_switch_to_fiber_no_sync

inline void fiber::leave_for(const fiber& to, bool) noexcept {
  __tsan_switch_to_fiber(to.handle_, no_sync);
}
inline void fiber::resumed() noexcept {}

/// What was known of this memory is forgotten, and what was synchronized by objects in it. Both are
/// multiples of a page; a little before `lo` is forgotten, too.
void forget(uintptr_t lo, size_t bytes) noexcept;

/// A thread's errno and thread_local variables, which change hands with the thread: what one
/// goroutine did to them is no business of the next one's.
class thread_locals {
 public:
  /// Finds this thread's.
  void find() noexcept;
  /// Another goroutine runs here now.
  void forget() const noexcept {
    for (int i = 0; i < count_; ++i) sanitizer::forget(ranges_[i].lo, ranges_[i].bytes);
  }

 private:
  struct range {
    uintptr_t lo;
    size_t bytes;
  };
  void add(uintptr_t lo, uintptr_t hi) noexcept;
  static constexpr int count_max = 4;  // the program, the C library, and two more
  range ranges_[count_max] = {};
  int count_ = 0;
};

/// What is read and written in this scope is not seen.
class unseen_accesses {
 public:
  unseen_accesses() noexcept;
  ~unseen_accesses();
  unseen_accesses(const unseen_accesses&) = delete;
  unseen_accesses& operator=(const unseen_accesses&) = delete;
};
/// Nor does it order anything.
class unseen : unseen_accesses {
 public:
  unseen() noexcept;
  ~unseen();
};
#else
#if WEFT_ASAN
extern "C" void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom,
                                               size_t size);
extern "C" void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom_old,
                                                size_t* size_old);

inline void fiber::leave_for(const fiber& to, bool last) noexcept {
  // null: the fake stack of a goroutine that ends is destroyed, else it would leak.
  __sanitizer_start_switch_fiber(last ? nullptr : &handle_, reinterpret_cast<void*>(to.lo_),
                                 to.bytes_);
}
inline void fiber::resumed() noexcept {
  __sanitizer_finish_switch_fiber(handle_, nullptr, nullptr);
}
#endif

inline void forget(uintptr_t, size_t) noexcept {}
class thread_locals {
 public:
  void find() noexcept {}
  void forget() const noexcept {}
};
class unseen_accesses {
 public:
  unseen_accesses() noexcept {}
  ~unseen_accesses() {}
};
using unseen = unseen_accesses;
#endif

}  // namespace weft::rt::sanitizer
