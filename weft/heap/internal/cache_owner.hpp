// SPDX-License-Identifier: Apache-2.0
// How a cache follows its P: what the scheduler calls when a thread takes a P, gives it back, or
// goes to sleep without one (mcache.hpp says who may touch a cache when).
#pragma once

namespace weft::rt {

struct mcache;

/// This thread takes a P whose cache is in `of_p` (null: none): it allocates from that one from now
/// on, or keeps its own. `of_p` is null afterwards: the cache is in the thread, not in the P, until
/// heap_detach_cache(). A compare-and-swap; a lock when it has to give one away.
void heap_attach_cache(mcache*& of_p) noexcept;
/// This thread gives its P back, and its cache with it. A store.
void heap_detach_cache(mcache*& of_p) noexcept;
/// This thread will sleep without a P: others may use its cache.
void heap_drop_cache() noexcept;
/// A P goes away: so may its cache.
void heap_retire_cache(mcache*& of_p) noexcept;

/// Threads of the heap's own, which whoever counts threads has to expect: 0 or 1.
[[nodiscard]] int heap_threads() noexcept;

}  // namespace weft::rt
