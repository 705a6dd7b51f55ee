// SPDX-License-Identifier: Apache-2.0
// The heap's own thread: gives memory that nobody used for a while back to the kernel, visits idle
// caches, prints heaptrace. Started when the heap has grown, so small programs never have one.
#pragma once

#include <cstddef>

#include "weft/base/atomic.hpp"

namespace weft::rt {

/// Free pages that stay resident, beside a tenth of those in use: less would pay page faults for
/// every small burst, more would keep memory that the machine could use.
inline constexpr size_t resident_free_min = size_t{16} << 20;
inline constexpr size_t resident_free_share = 10;

/// A heap of fewer pages, free ones included, has no thread.
inline constexpr size_t heap_with_thread_min = 2 * resident_free_min;

/// Set when the heap is large enough for a thread and has none: the next allocation that can starts
/// it. Not a free: the C library frees under the lock that starting a thread takes.
extern atomic<bool> background_wanted;

/// Under the page heap's lock, with all pages of the heap that were begun.
void note_pages(size_t all_pages) noexcept;
/// Whether there is something to give back.
[[nodiscard]] bool more_than_may_stay(size_t used_pages, size_t dirty_free_pages) noexcept;
/// Then: wakes the thread, or gives it back if there is to be none. Not under the page heap's lock.
void wake_background() noexcept;
/// Starts the thread. Allocates; no lock of the heap may be held.
void start_background() noexcept;
/// heaptrace: a report this often; 0: none.
void set_heap_trace(int period_ms) noexcept;
/// WEFT_DEBUG=noscavenger=1: there is no thread; frees of large objects give memory back.
void disable_background() noexcept;

/// In the child of a fork(): there is no thread there.
void background_forgotten() noexcept;

}  // namespace weft::rt
