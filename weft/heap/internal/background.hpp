// SPDX-License-Identifier: Apache-2.0
// The heap's own thread: gives memory that nobody used for a while back to the kernel, visits idle
// caches, prints heaptrace. Started when there is something for it to do, so most small programs
// never have one.
#pragma once

#include <cstddef>

#include "weft/base/atomic.hpp"

namespace weft::rt {

/// Free pages that stay resident, beside a tenth of those in use: less would pay page faults for
/// every small burst, more would keep memory that the machine could use.
inline constexpr size_t resident_free_min = size_t{16} << 20;
inline constexpr size_t resident_free_share = 10;

/// Set when there is something to do and the thread sleeps, or was not started yet.
extern atomic<bool> background_wanted;

/// After pages were given to the page heap: is there more than may stay? No lock, no call.
void note_free_pages(size_t used_pages, size_t dirty_free_pages) noexcept;
/// Starts or wakes the thread. May allocate; no lock of the heap may be held.
void want_background() noexcept;
/// heaptrace: a report this often; 0: none.
void set_heap_trace(int period_ms) noexcept;
/// WEFT_DEBUG=noscavenger=1: there is no thread; frees of large objects give memory back.
void disable_background() noexcept;

/// In the child of a fork(): there is no thread there.
void background_forgotten() noexcept;

}  // namespace weft::rt
