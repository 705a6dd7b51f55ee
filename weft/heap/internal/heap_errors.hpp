// SPDX-License-Identifier: Apache-2.0
// What the process says when its heap was misused, before it ends: a heap that is known to be
// broken is not used any further.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/heap/internal/span.hpp"

namespace weft::rt {

/// free() or realloc() of an address that is not an object in use. Finds out which mistake it is.
[[noreturn]] void die_of_bad_free(uintptr_t address) noexcept;
/// A free object's link leads out of its span: it was written to after it was freed, or its
/// neighbour was overrun.
[[noreturn]] void die_of_free_list(const mspan* s, const free_object* object) noexcept;
/// What the heap keeps behind an object of `bytes` was written to.
[[noreturn]] void die_of_overrun(const void* object, size_t bytes) noexcept;

/// What heapcheck finds.
/// wrong_size: `where` is the size that a delete gave.
enum class checked_error : uint8_t {
  overrun,
  underrun,
  double_free,
  written_after_free,
  wrong_size
};
/// Reports it with both stacks; `freed_at` is null for an object in use.
[[noreturn]] void die_of_checked(checked_error what, const void* object, size_t bytes,
                                 const void* where, const recorded_stack* allocated_at,
                                 const recorded_stack* freed_at) noexcept;

}  // namespace weft::rt
