// SPDX-License-Identifier: Apache-2.0
// What happens before what, told to ThreadSanitizer: the edges of Go's memory model, where its
// operations are implemented, and nowhere else (docs/guide/memory-model.md). Empty in other builds.
//
// Everything else in the runtime is invisible: locks, queues, switches and the network's poller
// order nothing in the eyes of the detector. Otherwise a wake-up through the scheduler would hide a
// race that another schedule shows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/sanitizer.hpp"

namespace weft::rt {

inline constexpr bool race_enabled = sanitizer::thread;

#if WEFT_TSAN

extern "C" {
void __tsan_acquire(void* at);
void __tsan_release(void* at);
void __tsan_read1(void* at);
void __tsan_write1(void* at);
void __tsan_read_range(void* at, unsigned long bytes);
void __tsan_write_range(void* at, unsigned long bytes);
void __tsan_func_entry(void* call_pc);
void __tsan_func_exit();
}

/// What was released at this address so far happens before what this goroutine does next.
inline void race_acquire(const void* at) noexcept { __tsan_acquire(const_cast<void*>(at)); }
/// What this goroutine did so far is released at this address, beside what others released there.
inline void race_release(const void* at) noexcept { __tsan_release(const_cast<void*>(at)); }
/// As if this goroutine read or wrote here: two operations that must not happen at once.
inline void race_read(const void* at) noexcept { __tsan_read1(const_cast<void*>(at)); }
inline void race_write(const void* at) noexcept { __tsan_write1(const_cast<void*>(at)); }
inline void race_read(const void* at, size_t bytes) noexcept {
  __tsan_read_range(const_cast<void*>(at), bytes);
}
inline void race_write(const void* at, size_t bytes) noexcept {
  __tsan_write_range(const_cast<void*>(at), bytes);
}

/// From one goroutine to another, once: what is released replaces what was there.
class race_edge {
 public:
  void release() noexcept;  // sanitizer.cpp
  void acquire() noexcept { __tsan_acquire(&word_); }

 private:
  alignas(8) uint32_t word_ = 0;  // eight bytes: what ThreadSanitizer keeps one clock for
};

/// The line of the user's that called the runtime shows in reports: it is not instrumented itself.
class race_caller {
 public:
  explicit race_caller(void* call_pc) noexcept { __tsan_func_entry(call_pc); }
  ~race_caller() { __tsan_func_exit(); }
  race_caller(const race_caller&) = delete;
  race_caller& operator=(const race_caller&) = delete;
};

#else

inline void race_acquire(const void*) noexcept {}
inline void race_release(const void*) noexcept {}
inline void race_read(const void*) noexcept {}
inline void race_write(const void*) noexcept {}
inline void race_read(const void*, size_t) noexcept {}
inline void race_write(const void*, size_t) noexcept {}

class race_edge {
 public:
  void release() noexcept {}
  void acquire() noexcept {}
};

class race_caller {
 public:
  explicit race_caller(void*) noexcept {}
  ~race_caller() {}
};

#endif

}  // namespace weft::rt
