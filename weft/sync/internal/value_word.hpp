// SPDX-License-Identifier: Apache-2.0
// How atomic_value and sync_map hold a value: small ones in an atomic word, others in a box that is
// never changed once it can be read, and retired when another takes its place.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "weft/sync/internal/garbage.hpp"

namespace weft::rt {

/// Of these a reader gets a copy by one load, and nothing is retired.
template <class T>
inline constexpr bool fits_word = std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t);

/// The unsigned integer of T's size; none if there is none.
template <class T>
using word_part =
    std::conditional_t<sizeof(T) == 1, uint8_t,
                       std::conditional_t<sizeof(T) == 2, uint16_t,
                                          std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

template <class T>
[[nodiscard]] uint64_t to_word(const T& value) noexcept {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

/// T need not have a default constructor.
template <class T>
[[nodiscard]] T from_word(uint64_t bits) noexcept {
  if constexpr (sizeof(word_part<T>) == sizeof(T) && std::endian::native == std::endian::little) {
    return std::bit_cast<T>(static_cast<word_part<T>>(bits));  // stays in a register
  } else {
    struct bytes {
      unsigned char of[sizeof(T)];
    };
    bytes raw;
    std::memcpy(&raw, &bits, sizeof(T));
    return std::bit_cast<T>(raw);
  }
}

template <class T>
struct value_box : retired {
  template <class... Args>
  explicit value_box(Args&&... args) : value(std::forward<Args>(args)...) {}
  T value;
};

/// What a function given to read() may return: nothing that refers to what it was shown.
#define WEFT_CHECK_READ_RESULT(F, T)                                      \
  static_assert(!std::is_reference_v<std::invoke_result_t<F&, const T&>>, \
                "weft: read(f): f must return a copy: the value may be gone afterwards")

}  // namespace weft::rt
