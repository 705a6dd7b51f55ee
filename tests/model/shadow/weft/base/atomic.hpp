// SPDX-License-Identifier: Apache-2.0
// Stands in place of weft/base/atomic.hpp when production code is compiled for the model checker:
// the same names, and every operation is the checker's.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "tests/model/checker/engine.hpp"

#define WEFT_MODEL 1

namespace weft::rt {

using std::memory_order;
inline constexpr memory_order relaxed = std::memory_order_relaxed;
inline constexpr memory_order acquire = std::memory_order_acquire;
inline constexpr memory_order release = std::memory_order_release;
inline constexpr memory_order acq_rel = std::memory_order_acq_rel;
inline constexpr memory_order seq_cst = std::memory_order_seq_cst;

template <class T>
class atomic {
  using site = std::source_location;
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);

 public:
  constexpr atomic() noexcept : value_{} { constructed(); }
  constexpr explicit atomic(T initial) noexcept : value_{initial} { constructed(); }
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  [[nodiscard]] T load(memory_order order, site at = site::current()) const noexcept {
    return from_bits(model::load(&value_, sizeof(T), order, at));
  }
  void store(T desired, memory_order order, site at = site::current()) noexcept {
    model::store(&value_, sizeof(T), bits(desired), order, at);
  }
  T exchange(T desired, memory_order order, site at = site::current()) noexcept {
    return change(model::rmw::exchange, desired, order, at);
  }
  [[nodiscard]] bool compare_exchange(T& expected, T desired, memory_order success,
                                      memory_order failure, site at = site::current()) noexcept {
    uint64_t found = bits(expected);
    const bool won =
        model::compare_and_swap(&value_, sizeof(T), found, bits(desired), success, failure, at);
    if (!won) expected = from_bits(found);
    return won;
  }
  T fetch_add(T operand, memory_order order, site at = site::current()) noexcept {
    return change(model::rmw::add, operand, order, at);
  }
  T fetch_sub(T operand, memory_order order, site at = site::current()) noexcept {
    return change(model::rmw::sub, operand, order, at);
  }
  T fetch_or(T operand, memory_order order, site at = site::current()) noexcept {
    return change(model::rmw::bit_or, operand, order, at);
  }
  T fetch_and(T operand, memory_order order, site at = site::current()) noexcept {
    return change(model::rmw::bit_and, operand, order, at);
  }
  [[nodiscard]] T* address() noexcept { return &value_; }

 private:
  static uint64_t bits(T value) noexcept {
    uint64_t raw = 0;
    std::memcpy(&raw, &value, sizeof(T));
    return raw;
  }
  static T from_bits(uint64_t raw) noexcept {
    T value;
    std::memcpy(&value, &raw, sizeof(T));
    return value;
  }
  T change(model::rmw how, T operand, memory_order order, const site& at) noexcept {
    return from_bits(model::modify(&value_, sizeof(T), how, bits(operand), order, at));
  }
  constexpr void constructed() noexcept {
    if (!std::is_constant_evaluated()) model::construct(&value_, sizeof(T));
  }

  T value_;
};

inline void fence(memory_order order,
                  std::source_location at = std::source_location::current()) noexcept {
  model::fence(order, at);
}
inline bool mutated(const char* what) noexcept { return model::left_out(what); }
constexpr uint32_t often(uint32_t) noexcept { return 2; }
/// Nothing reorders here but what a mutant holds back (change::late).
inline void compiler_fence() noexcept {}

}  // namespace weft::rt
