// SPDX-License-Identifier: Apache-2.0
// What the untyped channel must know of its element type: size, how to move, how to destroy.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "weft/base/sanitizer.hpp"

namespace weft::rt {

struct element_ops {
  size_t bytes;
  size_t align;
  /// Move-constructs *to from *from, which stays alive; null: copy the bytes.
  void (*move)(void* to, void* from) noexcept;
  /// null: nothing to do.
  void (*destroy)(void* element) noexcept;
};

template <class T>
inline constexpr element_ops element_ops_of = {
    sizeof(T), alignof(T),
    std::is_trivially_copyable_v<T>
        ? nullptr
        : +[](void* to, void* from) noexcept { ::new (to) T(std::move(*static_cast<T*>(from))); },
    std::is_trivially_destructible_v<T>
        ? nullptr
        : +[](void* element) noexcept { std::destroy_at(static_cast<T*>(element)); }};

/// Numbers and pointers: copied as one word, nothing to destroy.
inline bool is_word(const element_ops& ops) noexcept {
  return ops.move == nullptr && ops.destroy == nullptr && ops.bytes == sizeof(void*);
}

/// The move is the runtime's: whose stack or buffer it touches is ordered by the channel's lock.
/// The sender's reading of the element is noted where it sends.
inline void move_element(const element_ops& ops, void* to, void* from) noexcept {
  const sanitizer::unseen moving;
  if (ops.move != nullptr)
    ops.move(to, from);
  else if (ops.bytes == sizeof(void*))  // numbers and pointers: one move, no call
    std::memcpy(to, from, sizeof(void*));
  else
    std::memcpy(to, from, ops.bytes);
}

inline void destroy_element(const element_ops& ops, void* element) noexcept {
  const sanitizer::unseen ending;
  if (ops.destroy != nullptr) ops.destroy(element);
}

/// Moves and ends the life of *from.
inline void relocate_element(const element_ops& ops, void* to, void* from) noexcept {
  move_element(ops, to, from);
  destroy_element(ops, from);
}

/// Room for a T that a channel fills.
template <class T>
union element_slot {
  element_slot() noexcept {}
  ~element_slot() {}
  element_slot(const element_slot&) = delete;
  element_slot& operator=(const element_slot&) = delete;
  T value;

  /// The value, leaving the room empty.
  template <class Result>
  [[nodiscard]] Result take() noexcept {
    Result taken(std::move(value));
    std::destroy_at(&value);
    return taken;
  }
};

}  // namespace weft::rt
