// SPDX-License-Identifier: Apache-2.0
// Zeroed memory of the execution's arena: the same addresses every time; freeing it is a write.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>

namespace weft::rt {

[[nodiscard]] inline void* zeroed_allocate(size_t bytes) noexcept {
  return std::memset(::operator new(bytes), 0, bytes);
}
inline void zeroed_free(void* memory, size_t bytes) noexcept { ::operator delete(memory, bytes); }

}  // namespace weft::rt
