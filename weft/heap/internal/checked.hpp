// SPDX-License-Identifier: Apache-2.0
// WEFT_DEBUG=heapcheck=1: every object with red zones and the stacks of its allocation and its
// free; freed ones stay in quarantine for a while and are looked at when they leave it.
//
//   | header | red zone ... | what was asked for | red zone, to the end of the slot |
//
// Slow (a lock and a microsecond or two for the stack) and large: for tests and for hunting. What
// is found is reported with the address, the size and both stacks, and ends the process: overruns
// and underruns (at free() or realloc(), or when leaving quarantine), double frees, frees of
// addresses inside of objects, writes to freed objects.
#pragma once

#include <cstddef>

#include "weft/heap/internal/span.hpp"

namespace weft::rt {

/// Freed objects that are kept back, in bytes of their slots. More finds later writes, less uses
/// less memory.
inline constexpr size_t quarantine_bytes_max = size_t{64} << 20;
inline constexpr size_t red_zone_bytes = 32;

/// From now on every new object is a checked one. Once, early.
void start_checking() noexcept;
[[nodiscard]] bool checking() noexcept;

/// Aligned to `alignment`, a power of two. Null: no memory.
[[nodiscard]] void* checked_allocate(size_t bytes, size_t alignment, bool zeroed) noexcept;
/// Whether `s` holds checked objects; what was allocated before start_checking() is not one.
[[nodiscard]] bool is_checked(const mspan* s) noexcept;
void checked_free(mspan* s, void* object) noexcept;
/// By a sized delete: `bytes` must be what was asked for.
void checked_free_sized(mspan* s, void* object, size_t bytes) noexcept;
/// Exactly what was asked for: one more byte is an overrun.
[[nodiscard]] size_t checked_usable_bytes(mspan* s, const void* object) noexcept;

/// Around a fork().
void checked_lock() noexcept;
void checked_unlock() noexcept;

}  // namespace weft::rt
