// SPDX-License-Identifier: Apache-2.0
// The page heap (Go's mheap): one reservation of address space, and the spans that tile it.
//
// Free runs are kept in bins by length, found by two bitmaps (M. Masmano et al., "TLSF: a new
// dynamic memory allocator for real-time systems", 2004): O(1) to take, to give back and to merge
// with both neighbours. One lock; callers come here for whole spans only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/heap/internal/size_classes.hpp"
#include "weft/heap/internal/span.hpp"

namespace weft::rt {

/// Where the heap's memory lies; constant after heap_start(). Read by every free(), so nothing that
/// changes is in its cache line.
struct alignas(64) heap_arena {
  uintptr_t base = 0;
  size_t bytes = 0;
  mspan* spans = nullptr;
  /// For each page: index in `spans` of the span that holds it, 0 if none. Of a free run only the
  /// first and the last page are written.
  atomic<uint32_t>* pages = nullptr;
  uintptr_t secret = 0;
};
extern heap_arena arena;

/// Reserves the arena: half the address space that is to be had, 4 TiB at most. Once; the process
/// ends if there is none. Thread-safe.
void heap_start() noexcept;

/// A run of `count` pages as a span of `state`; null when address space or memory is used up.
mspan* take_pages(size_t count, span_state state) noexcept;
/// The same, beginning at a multiple of `alignment` (a power of two above a page).
mspan* take_pages_aligned(size_t count, size_t alignment) noexcept;
void give_pages(mspan* s) noexcept;
/// A large span's length is changed where it is. False: what follows is in use.
bool resize_pages(mspan* s, size_t count) noexcept;

/// Gives free pages back to the kernel until at most `keep` bytes of them are resident. Returns the
/// bytes given back. The lock is not held over the system calls.
size_t release_free_pages(size_t keep) noexcept;
/// The same for one run, the longest. 0: no more than `keep` bytes are resident, or its are locked.
size_t release_longest_run(size_t keep) noexcept;
/// The fewest bytes that were free and resident at any time since the last call: what nobody needed
/// meanwhile.
[[nodiscard]] size_t take_idle_bytes() noexcept;

/// WEFT_MEMLIMIT: requests that would have more bytes in use are refused, with a message; free
/// pages are given back when both together would be more. SIZE_MAX: no limit.
void set_memory_limit(size_t bytes) noexcept;
[[nodiscard]] size_t memory_limit() noexcept;

struct page_heap_stats {
  size_t reserved_bytes = 0;
  size_t in_use_bytes = 0;  // in spans that hold objects
  size_t free_bytes = 0;    // in free runs
  size_t resident_free_bytes = 0;
  size_t released_bytes = 0;  // given back to the kernel so far
  size_t metadata_bytes = 0;
  size_t spans = 0;
};
[[nodiscard]] page_heap_stats page_statistics() noexcept;

/// Memory for caches and records: never given back. Null when there is none.
void* metadata_take(size_t bytes) noexcept;
/// Which 64 bytes of the metadata it begins at.
[[nodiscard]] uint64_t metadata_number(const void* address) noexcept;
/// Whether it came from metadata_take().
[[nodiscard]] bool is_metadata(const void* address) noexcept;

/// Spans 1 to span_count() - 1 of arena.spans were used at some time.
[[nodiscard]] uint32_t span_count() noexcept;

/// The lock, around a fork().
void page_heap_lock() noexcept;
void page_heap_unlock() noexcept;

/// The span that holds `address`; null outside of the arena and where nothing was ever allocated.
/// Of free memory: some span that is not `small` or `large`, or null.
[[nodiscard]] inline mspan* span_of(uintptr_t address) noexcept {
  const uintptr_t offset = address - arena.base;
  if (offset >= arena.bytes) [[unlikely]]
    return nullptr;
  // relaxed: whoever frees an object was given it by somebody who saw the span made.
  const uint32_t index = arena.pages[offset >> heap_page_shift].load(relaxed);
  return index == 0 ? nullptr : arena.spans + index;
}

}  // namespace weft::rt
