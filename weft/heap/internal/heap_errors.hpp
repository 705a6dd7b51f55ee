// SPDX-License-Identifier: Apache-2.0
// What the process says when its heap was misused, before it ends: a heap that is known to be
// broken is not used any further.
#pragma once

#include <cstdint>

#include "weft/heap/internal/span.hpp"

namespace weft::rt {

/// free() or realloc() of an address that is not an object in use. Finds out which mistake it is.
[[noreturn]] void die_of_bad_free(uintptr_t address) noexcept;
/// A free object's link leads out of its span: it was written to after it was freed, or its
/// neighbour was overrun.
[[noreturn]] void die_of_free_list(const mspan* s, const free_object* object) noexcept;

}  // namespace weft::rt
