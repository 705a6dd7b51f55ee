// SPDX-License-Identifier: Apache-2.0
// A cache: the spans that one thread (later: one P) allocates from without a lock, and what it has
// freed for others (Go's mcache, with snmalloc's batches of remote frees).
//
//   malloc   bins[class].current->free, one load and one store
//   free     of an own object: the same. Of another's: into a batch for its owner, which is posted
//            to the owner's inbox with one compare-and-swap when it is full
//   inbox    taken whole by its owner when it runs out of objects, or by anyone while it is idle
//
// Invariants
//   1. A span has one owner, and only its owner touches its list of free objects. Otherwise two
//      threads hand out the same object.
//   2. An object is in one place: used, on its span's list, in one batch, or in one inbox.
//   3. What reaches the inbox of an idle cache is taken by whoever put it there, so nothing is
//      stranded: a cache goes idle first and looks into its inbox then; a poster posts first and
//      looks whether the cache is idle then (seq_cst on both).
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/heap_slot.hpp"
#include "weft/heap/internal/size_classes.hpp"
#include "weft/heap/internal/span.hpp"

namespace weft::rt {

struct alignas(64) mcache {
  struct bin {
    mspan* current;      // never null: a span without objects stands for none
    span_list partial;   // other spans of ours with free or untouched objects
    span_list full;      // other spans of ours without: free() hears of their first by notify_at
    uint32_t empty = 0;  // spans on `partial` of which no object is used
  };
  /// Objects of one other cache, on their way to it.
  struct batch {
    mcache* to = nullptr;
    free_object* head = nullptr;
    free_object* tail = nullptr;
    uint32_t count = 0;
  };
  static constexpr uint32_t batch_count = 16;  // owners at a time, by hash
  static constexpr uint32_t batch_objects = 48;

  bin bins[size_class_count];
  batch batches[batch_count];
  uint32_t ticks = 0;      // slow paths; batches are posted every so often
  mcache* link = nullptr;  // list of idle ones
  alignas(64) atomic<free_object*> inbox{nullptr};
  /// 1: nobody allocates from it, and it owns no span.
  atomic<uint32_t> idle{1};
};

/// An idle cache, or a new one, for this thread. Null: no memory.
mcache* acquire_cache() noexcept;
/// Gives up every span of `cache` and posts what it holds for others.
void release_cache(mcache* cache) noexcept;

/// The list of idle caches, around a fork().
void cache_pool_lock() noexcept;
void cache_pool_unlock() noexcept;

/// The next object of `size_class` when current has none; null when memory is used up.
void* refill(mcache& cache, uint32_t size_class) noexcept;
/// `s`, an own span that was full, or has no object in use any more.
void span_changed(mcache& cache, mspan* s) noexcept;
/// An object of a span that `cache` (null: no cache at all) does not own.
void free_remote(mcache* cache, mspan* s, free_object* object) noexcept;

}  // namespace weft::rt
