// SPDX-License-Identifier: Apache-2.0
// A cache: the spans that one P, or one thread without a P, allocates from without a lock, and what
// it has freed for others (Go's mcache, with snmalloc's batches of remote frees).
//
//   malloc   bins[class].current->free, one load and one store
//   free     of an own object: the same. Of another's: into a batch for its owner, which is posted
//            to the owner's inbox with one compare-and-swap when it is full
//   inbox    taken whole by its owner when it runs out of objects; by a visitor while it is idle
//
// `claim` says who may touch a cache's spans, lists and batches:
//   idle -> claimed      a thread, to allocate from it: it is in that thread's this_cache  CAS
//   acquire claimed -> idle      that thread, which needs it no more                          store
//   release idle -> visited      a visitor: who posted to it, or the scavenger                CAS
//   acquire visited -> idle      the visitor                                                  CAS
//   release visited -> deserted  a thread that wanted to claim it and takes another instead   CAS
//   relaxed deserted -> idle     the visitor, who puts it on the list of spare ones           store
//   release
//
// Invariants
//   1. A span has one owner, a cache; only who claimed or visits that cache touches the span's list
//      of free objects. Otherwise two threads hand out the same object.
//   2. An object is in one place: used, on its span's list, in one batch, or in one inbox.
//   3. What reaches the inbox of an idle cache is taken by whoever put it there: a poster posts
//      first and then looks whether the cache is idle. What was posted while the cache was claimed
//      waits for its holder's next slow path, the next claim's, or a visit by the scavenger.
//
// A P's cache follows it: the thread that acquires a P takes the cache out of the P, and puts it
// back with the P. So a thread whose P is taken away keeps what it allocates from, and the P's next
// holder finds none and claims a spare one: no exchange with the robbed thread is needed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/heap_slot.hpp"
#include "weft/heap/internal/size_classes.hpp"
#include "weft/heap/internal/span.hpp"

namespace weft::rt {

enum class cache_claim : uint32_t { idle, claimed, visited, deserted };

struct alignas(64) mcache {
  struct bin {
    mspan* current;            // never null: a span without objects stands for none
    span_list partial;         // other spans of ours with free or untouched objects
    span_list full;            // other spans of ours without: free() hears of their first
    uint32_t empty = 0;        // spans on `partial` of which no object is used
    int32_t until_sample = 0;  // what the next current span's `left` begins with
    bool sample_due = false;   // the interval ends with a sample
  };
  /// Objects of one other cache, on their way to it.
  struct batch {
    mcache* to = nullptr;
    free_object* head = nullptr;
    free_object* tail = nullptr;
    uint32_t count = 0;
  };
  static constexpr uint32_t batch_count = 16;  // owners at a time, by hash
  static constexpr uint32_t batch_objects = often(48);

  bin bins[size_class_count];
  batch batches[batch_count];
  uint32_t ticks = 0;        // slow paths; batches are posted every so often
  bool keeps_apart = false;  // takes no spans from central: all of its objects are alike
  int depth = 0;             // of the visit that it is in; 0: none
  uint64_t random = 0;       // state of the sampler's generator
  uint32_t seen_claims = 0;  // by the scavenger: `claims` when it visited last
  mcache* link = nullptr;    // list of spare ones
  mcache* all_link = nullptr;
  alignas(64) atomic<free_object*> inbox{nullptr};
  atomic<cache_claim> claim{cache_claim::claimed};
  atomic<uint32_t> claims{0};  // times it was claimed
};

/// A spare cache, or a new one, claimed. Null: no memory.
mcache* acquire_cache() noexcept;
/// A new one that has no spans and never takes one from central: all of its objects are alike, and
/// none is sampled. Claimed for ever. Null: no memory.
mcache* make_cache_apart() noexcept;
/// Gives up every span of `cache` to central, posts what it holds for others, makes it a spare one.
void release_cache(mcache* cache) noexcept;
/// Makes it a spare one as it is.
void put_spare_cache(mcache* cache) noexcept;
/// Claims an idle cache. False: somebody visits it; the visitor makes it a spare one.
[[nodiscard]] bool claim_cache(mcache* cache) noexcept;
/// Ends a claim; who wants the cache again keeps its address.
void unclaim_cache(mcache* cache) noexcept;
/// Every cache that is idle: its inbox is emptied, what it holds for others posted, and if nobody
/// claimed it since the last call, its spans go to central.
void visit_idle_caches() noexcept;
/// Every cache, newest first, by all_link.
[[nodiscard]] mcache* all_caches() noexcept;

/// The list of spare caches, around a fork().
void cache_pool_lock() noexcept;
void cache_pool_unlock() noexcept;

/// The next object of `size_class` when current has none or one is to be sampled: then `sampled` is
/// set and there is none yet. Null when memory is used up.
void* refill(mcache& cache, uint32_t size_class, bool& sampled) noexcept;
/// Draws anew when the next object of `size_class` is sampled.
void renew_interval(mcache& cache, uint32_t size_class) noexcept;
/// `s`, an own span that was full, or has no object in use any more.
void span_changed(mcache& cache, mspan* s) noexcept;
/// free() of an object in use of a span that `cache` does not own: a remote free, or a sampled or
/// checked object's.
void free_other(mcache* cache, mspan* s, free_object* object) noexcept;
/// A free object of a span that `cache` (null: no cache at all) does not own.
void free_remote(mcache* cache, mspan* s, free_object* object) noexcept;

}  // namespace weft::rt
