// SPDX-License-Identifier: Apache-2.0
// The heap's front: malloc and its relatives, as functions of Weft's own. Linking weft::malloc, or
// LD_PRELOAD=libweft_malloc.so, puts them in the place of the C library's.
//
// Objects of up to 32 KiB come from spans of one size class that the thread's cache owns: no lock,
// no atomic operation. Larger ones are runs of 8 KiB pages. Freeing on another thread sends the
// object to the owner of its span, in batches.
//
// Misuse that is found ends the process with a line that names the address and the size class:
// double frees, frees of addresses that are no object or inside of one, writes to freed objects.
#pragma once

#include <cstddef>

#include "weft/base/export.hpp"

namespace weft::rt {

/// `bytes` of memory, aligned to 16 (0 counts as 1). Null when memory or address space is used up.
/// Does not block on other threads' work; O(1), a system call only for fresh address space.
[[nodiscard]] WEFT_API void* heap_allocate(size_t bytes) noexcept;
/// The same, all zero. Pages fresh from the kernel are not written.
[[nodiscard]] WEFT_API void* heap_allocate_zeroed(size_t bytes) noexcept;
/// Aligned to `alignment`, a power of two.
[[nodiscard]] WEFT_API void* heap_allocate_aligned(size_t bytes, size_t alignment) noexcept;
/// Takes an object back, from any thread. Null: nothing happens.
WEFT_API void heap_free(void* object) noexcept;
/// The same; `bytes` is what was asked for, which heapcheck compares.
WEFT_API void heap_free_sized(void* object, size_t bytes) noexcept;
/// Changes an object's size, where it is if that is possible. Null, and the object stays, when
/// memory is used up. As realloc(): a null object is allocated; `bytes` of 0 counts as 1.
[[nodiscard]] WEFT_API void* heap_reallocate(void* object, size_t bytes) noexcept;
/// How many bytes of an object may be used: what was asked for, or more.
[[nodiscard]] WEFT_API size_t heap_usable_bytes(const void* object) noexcept;
/// Gives free pages back to the kernel, but for `keep` bytes. True if there were any.
WEFT_API bool heap_trim(size_t keep) noexcept;

struct heap_summary {
  size_t reserved_bytes = 0;       // address space
  size_t in_use_bytes = 0;         // pages that hold objects
  size_t free_bytes = 0;           // pages that hold none
  size_t resident_free_bytes = 0;  // of these, not given back to the kernel yet
  size_t spans = 0;
};
[[nodiscard]] WEFT_API heap_summary heap_totals() noexcept;

}  // namespace weft::rt
