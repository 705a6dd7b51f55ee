// SPDX-License-Identifier: Apache-2.0
// Memory that is zero: pages of a large block are not touched before they are used. A header of its
// own, because the model checker's world has another one in its place.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace weft::rt {

/// Aligned to 16; null when there is none.
[[nodiscard]] inline void* zeroed_allocate(size_t bytes) noexcept { return std::calloc(1, bytes); }
inline void zeroed_free(void* memory, size_t) noexcept { std::free(memory); }

}  // namespace weft::rt
