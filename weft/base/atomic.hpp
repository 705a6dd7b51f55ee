// SPDX-License-Identifier: Apache-2.0
// The one door to atomics: every order is written out, and a model checker can stand in its place.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::rt {

using std::memory_order;
inline constexpr memory_order relaxed = std::memory_order_relaxed;
inline constexpr memory_order acquire = std::memory_order_acquire;
inline constexpr memory_order release = std::memory_order_release;
inline constexpr memory_order acq_rel = std::memory_order_acq_rel;
inline constexpr memory_order seq_cst = std::memory_order_seq_cst;

/// std::atomic without default orders and without implicit conversions.
template <class T>
class atomic {
 public:
  constexpr atomic() noexcept : value_{} {}
  constexpr explicit atomic(T initial) noexcept : value_{initial} {}
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  [[nodiscard]] T load(memory_order order) const noexcept { return value_.load(order); }
  void store(T desired, memory_order order) noexcept { value_.store(desired, order); }
  T exchange(T desired, memory_order order) noexcept { return value_.exchange(desired, order); }

  /// Strong compare-and-swap; `expected` receives what was found when it fails.
  [[nodiscard]] bool compare_exchange(T& expected, T desired, memory_order success,
                                      memory_order failure) noexcept {
    return value_.compare_exchange_strong(expected, desired, success, failure);
  }
  T fetch_add(T operand, memory_order order) noexcept { return value_.fetch_add(operand, order); }
  T fetch_sub(T operand, memory_order order) noexcept { return value_.fetch_sub(operand, order); }
  T fetch_or(T operand, memory_order order) noexcept { return value_.fetch_or(operand, order); }
  T fetch_and(T operand, memory_order order) noexcept { return value_.fetch_and(operand, order); }

  /// The plain word, for futex(2), debuggers and assembly only.
  [[nodiscard]] T* address() noexcept { return reinterpret_cast<T*>(&value_); }

 private:
  std::atomic<T> value_;
  static_assert(sizeof(std::atomic<T>) == sizeof(T));
};

inline void fence(memory_order order) noexcept { std::atomic_thread_fence(order); }

/// A place where a mutant of the model checker leaves out what is no atomic operation: true only
/// there, in the execution that looks for this mutant.
constexpr bool mutated(const char*) noexcept { return false; }

/// How often something must happen before something else does: twice, there. `times` is a power of
/// two where it divides a counter that wraps.
constexpr uint32_t often(uint32_t times) noexcept { return times; }

/// Orders the compiler only. Partner of a fence that some other thread pays for (membarrier), or of
/// a signal handler on this thread.
inline void compiler_fence() noexcept { std::atomic_signal_fence(seq_cst); }

}  // namespace weft::rt
