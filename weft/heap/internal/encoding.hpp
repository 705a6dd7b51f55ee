// SPDX-License-Identifier: Apache-2.0
// The two words of a free object, which nothing but the heap can write validly.
#pragma once

#include "weft/heap/internal/page_heap.hpp"
#include "weft/heap/internal/span.hpp"

namespace weft::rt {

/// Its own address and the secret: a link that was copied from elsewhere, or partly overwritten,
/// decodes to something that is in no span.
[[nodiscard]] inline uintptr_t encode(const free_object* at, const free_object* next) noexcept {
  return reinterpret_cast<uintptr_t>(next) ^ arena.secret ^ (reinterpret_cast<uintptr_t>(at) << 16);
}
[[nodiscard]] inline free_object* decode(const free_object* at) noexcept {
  return reinterpret_cast<free_object*>(at->next ^ arena.secret ^
                                        (reinterpret_cast<uintptr_t>(at) << 16));
}
/// "This object is free."
[[nodiscard]] inline uintptr_t mark_of(const free_object* at) noexcept {
  return ~arena.secret ^ reinterpret_cast<uintptr_t>(at);
}

/// Whether `object` lies in what was carved of `s`.
[[nodiscard]] inline bool holds(const mspan* s, const free_object* object) noexcept {
  return reinterpret_cast<uintptr_t>(object) - s->base < s->carved_bytes.load(relaxed);
}

/// Puts `object` on the list of `s`, whose list the caller may touch.
inline void push_free(mspan* s, free_object* object) noexcept {
  object->next = encode(object, s->free);
  s->free = object;
}

}  // namespace weft::rt
