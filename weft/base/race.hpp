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
void race_read(const void* at, size_t bytes) noexcept;  // sanitizer.cpp
void race_write(const void* at, size_t bytes) noexcept;

/// From one goroutine to another, once: what is released replaces what was there.
class race_edge {
 public:
  void release() noexcept;  // sanitizer.cpp
  void acquire() noexcept { __tsan_acquire(&word_); }

 private:
  alignas(8) uint32_t word_ = 0;  // eight bytes: what ThreadSanitizer keeps one clock for
};

/// An edge in one place that many use, one after the other, under a lock. What one who waits would
/// release here, its waker puts here for it: nobody can take another thread's clock.
class race_relay {
 public:
  void release() noexcept {
    borrowed_ = nullptr;
    own_.release();
  }
  void acquire() noexcept { (borrowed_ != nullptr ? borrowed_ : &own_)->acquire(); }

 private:
  friend class race_waiter;
  race_edge own_;
  race_edge* borrowed_ = nullptr;  // counts instead of own_, while not null
};

/// What one did before it waits, for its waker.
class race_waiter {
 public:
  void release() noexcept { edge_.release(); }
  void acquire() noexcept { edge_.acquire(); }
  /// By the waker, under the lock of `relay`: as if the waiter, when it began to wait, released
  /// there.
  void lend(race_relay& relay) noexcept {
    relay.borrowed_ = &edge_;
    lent_to_ = &relay;
  }
  [[nodiscard]] bool lent() const noexcept { return lent_to_ != nullptr; }
  /// By the waiter, under that lock, when it runs again and before it acquires anything: what it
  /// would release is the same as then. Nothing refers to this object afterwards.
  void settle() noexcept {
    if (lent_to_->borrowed_ == &edge_) lent_to_->release();
    lent_to_ = nullptr;
  }

 private:
  race_edge edge_;
  race_relay* lent_to_ = nullptr;
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

class race_relay : public race_edge {};

class race_waiter : public race_edge {
 public:
  void lend(race_relay&) noexcept {}
  [[nodiscard]] bool lent() const noexcept { return false; }
  void settle() noexcept {}
};

class race_caller {
 public:
  explicit race_caller(void*) noexcept {}
  ~race_caller() {}
};

#endif

}  // namespace weft::rt
