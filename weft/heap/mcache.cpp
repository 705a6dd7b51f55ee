// SPDX-License-Identifier: Apache-2.0
// The slow paths of a cache: where the next object comes from, and where freed ones go.
#include "weft/heap/internal/mcache.hpp"

#include <new>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/race.hpp"
#include "weft/heap/internal/central.hpp"
#include "weft/heap/internal/checked.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/fast_path.hpp"
#include "weft/heap/internal/heap_errors.hpp"
#include "weft/heap/internal/sampler.hpp"

namespace weft::rt {

namespace {

// A span without objects, for bins that have none: malloc needs no test for null.
constinit mspan no_span{};

// Objects made free at a time: a page of the machine's, so memory is touched as it is needed.
constexpr uint32_t carve_bytes = 4096;

// Slow paths between two rounds of posting what is left in batches.
constexpr uint32_t post_every = often(64);

// Empty spans that a bin keeps: as many as an eighth of its spans, and one. Fewer would ask the
// page heap for each round of a program that frees all it has; more would keep memory for nothing.
constexpr uint32_t empties_share = 8;

// A full span is worth allocating from when this part of its objects came back: fewer cost a slow
// path for each, more keep memory for nothing.
constexpr uint32_t wake_share = 8;

// Visits within visits: a visitor posts what it finds for others, and those may be idle, too. What
// lies deeper waits for the scavenger.
constexpr int visits_deep = 3;

futex_mutex spare_lock{lock_rank::cache_pool};
mcache* spare_caches = nullptr;
atomic<mcache*> caches{nullptr};

uint32_t batch_slot(const mcache* to) noexcept {
  return static_cast<uint32_t>((reinterpret_cast<uintptr_t>(to) * 0x9E3779B97F4A7C15u) >> 60);
}

/// Makes the next objects of `s` free. False: all were.
bool carve(mspan* s) noexcept {
  const uint32_t whole = s->capacity * s->object_bytes;
  const uint32_t carved = s->carved_bytes.load(relaxed);
  if (carved == whole) return false;
  uint32_t count = carve_bytes / s->object_bytes;
  if (count == 0) count = 1;
  const uint32_t left = (whole - carved) / s->object_bytes;
  if (count > left) count = left;
  // The pages may be known to another thread, and the objects be handed out by a third one.
  if constexpr (race_enabled) race_acquire(&arena);  // partner: free_fast()
  // Backwards, so that they are handed out in the order of their addresses.
  for (uint32_t i = count; i-- > 0;) {
    auto* object = reinterpret_cast<free_object*>(s->base + carved + i * s->object_bytes);
    object->mark = mark_of(object);
    push_free(s, object);
    if constexpr (race_enabled) race_release(object);  // partner: heap_allocate()
  }
  s->carved_bytes.store(carved + count * s->object_bytes, relaxed);
  return true;
}

mspan* new_span(mcache& cache, uint32_t size_class) noexcept {
  mspan* s = take_pages(class_pages(size_class), span_state::small);
  if (s == nullptr) return nullptr;
  s->size_class = static_cast<uint8_t>(size_class);
  s->object_bytes = class_bytes(size_class);
  s->reciprocal = static_cast<uint32_t>((uint64_t{1} << 32) / s->object_bytes) +
                  ((s->object_bytes & (s->object_bytes - 1)) != 0 ? 1 : 0);
  s->capacity = static_cast<uint32_t>((size_t{s->pages} << heap_page_shift) / s->object_bytes);
  s->carved_bytes.store(0, relaxed);
  s->owner.store(&cache, release);
  return s;
}

void take_first(mspan* s, free_object* object) noexcept {
  free_object* next = decode(object);
  if (next != nullptr && !holds(s, next)) [[unlikely]]
    die_of_free_list(s, object);
  s->free = next;
  object->mark = 0;
}

/// An own object comes back from elsewhere.
void take_back(mcache& cache, mspan* s, free_object* object) noexcept {
  push_free(s, object);
  if (++s->freed == s->notify_at) span_changed(cache, s);
}

/// It is allocated from now on.
void make_current(mcache::bin& bin, mspan* s) noexcept {
  set_left(s, bin.until_sample);
  s->notify_at = s->freed - 1;  // never: it is on no list that a free could change
  bin.current = s;
}

/// It is allocated from no more; on no list yet.
mspan* end_current(mcache::bin& bin) noexcept {
  mspan* s = bin.current;
  bin.current = &no_span;
  bin.until_sample = s->left;
  set_left(s, 0);
  return s;
}

void list_partial(mcache::bin& bin, mspan* s) noexcept {
  s->listed = true;
  notify_when_used(s, 0);
  bin.partial.push(s);
}

/// Gives each object of a chain to whoever owns its span now.
void distribute(mcache* cache, free_object* chain) noexcept {
  while (chain != nullptr) {
    free_object* object = chain;
    chain = decode(object);
    mspan* s = span_of(reinterpret_cast<uintptr_t>(object));
    if (cache != nullptr && s->owner.load(relaxed) == cache)
      take_back(*cache, s, object);
    else
      free_remote(cache, s, object);
  }
}

bool drain_inbox(mcache& cache) noexcept {
  if (cache.inbox.load(relaxed) == nullptr) return false;
  // acquire: the links in the chain; partner: post_chain().
  distribute(&cache, cache.inbox.exchange(nullptr, acquire));
  return true;
}

void visit(mcache* cache, int depth) noexcept;

void post_chain(mcache* to, free_object* head, free_object* tail, int depth) noexcept {
  free_object* first = to->inbox.load(relaxed);
  do {
    tail->next = encode(tail, first);
    // release: the links; partner: the exchange in drain_inbox().
  } while (!to->inbox.compare_exchange(first, head, release, relaxed));
  visit(to, depth);
}

void post(mcache::batch& batch, int depth) noexcept {
  if (batch.count == 0) return;
  mcache* to = batch.to;
  free_object* head = batch.head;
  free_object* tail = batch.tail;
  batch = {};
  post_chain(to, head, tail, depth);
}

void post_all(mcache& cache, int depth) noexcept {
  for (mcache::batch& batch : cache.batches) post(batch, depth);
}

void give_spans_to_central(mcache& cache) noexcept {
  for (mcache::bin& bin : cache.bins) {
    if (bin.current != &no_span) central_give(end_current(bin));
    while (mspan* s = bin.partial.pop()) central_give(s);
    while (mspan* s = bin.full.pop()) central_give(s);
    bin.empty = 0;
  }
}

void push_spare(mcache* cache) noexcept {
  kept_lock_scope hold(spare_lock);
  cache->link = spare_caches;
  spare_caches = cache;
}

bool begin_visit(mcache* cache) noexcept {
  auto expected = cache_claim::idle;
  // relaxed first: posting to a cache that is used costs no more than the look.
  return cache->claim.load(relaxed) == cache_claim::idle &&
         cache->claim.compare_exchange(expected, cache_claim::visited, acquire, relaxed);
}

void end_visit(mcache* cache) noexcept {
  auto expected = cache_claim::visited;
  // release: what the visitor did to the lists; partner: the acquire in claim_cache().
  if (cache->claim.compare_exchange(expected, cache_claim::idle, release, relaxed)) return;
  // Deserted meanwhile: nobody else knows of it any more.
  cache->claim.store(cache_claim::idle, release);
  push_spare(cache);
}

/// Takes in what was posted to an idle cache.
void visit(mcache* cache, int depth) noexcept {
  while (depth < visits_deep && cache->inbox.load(relaxed) != nullptr && begin_visit(cache)) {
    cache->depth = depth + 1;
    drain_inbox(*cache);
    post_all(*cache, depth + 1);
    cache->depth = 0;
    end_visit(cache);
  }
}

}  // namespace

void* refill(mcache& cache, uint32_t size_class, bool& sampled) noexcept {
  mcache::bin& bin = cache.bins[size_class];
  if (++cache.ticks % post_every == 0) post_all(cache, 0);
  for (;;) {
    mspan* s = bin.current;
    if (s->left < 0 && s != &no_span) {
      s->left = 0;  // nothing was taken: the fast path looks before it takes
      sampled = bin.sample_due;
      if (cache.keeps_apart)
        bin.until_sample = INT32_MAX;
      else
        begin_interval(bin, cache.random, size_class);
      set_left(s, bin.until_sample);
      if (sampled) return nullptr;
    }
    if (s->free == nullptr && s != &no_span) (void)carve(s);
    if (s->free == nullptr && drain_inbox(cache)) continue;
    if (free_object* object = s->free; object != nullptr) {
      if (--s->left < 0) continue;
      take_first(s, object);
      return object;
    }
    if (s != &no_span) {
      // Full. Allocated from again when an eighth of it is free: a span with an object or two
      // brings us back here at once (as snmalloc's sleeping slabs).
      (void)end_current(bin);
      s->full = true;
      notify_when_used(s, s->capacity - (s->capacity / wake_share + 1));
      bin.full.push(s);
    }
    mspan* next = bin.partial.pop();
    if (next != nullptr) {
      next->listed = false;
      if (used_of(next) == 0) --bin.empty;
    } else {
      if (!cache.keeps_apart) next = central_take(size_class, &cache);
      if (next == nullptr) next = new_span(cache, size_class);
    }
    if (next == nullptr) return nullptr;
    make_current(bin, next);
  }
}

void renew_interval(mcache& cache, uint32_t size_class) noexcept {
  mcache::bin& bin = cache.bins[size_class];
  begin_interval(bin, cache.random, size_class);
  if (bin.current != &no_span) set_left(bin.current, bin.until_sample);
}

void span_changed(mcache& cache, mspan* s) noexcept {
  mcache::bin& bin = cache.bins[s->size_class];
  if (s == bin.current) {
    s->notify_at = s->freed - 1;  // four billion objects came back
    return;
  }
  if (s->full) {
    s->full = false;
    bin.full.remove(s);
    if (used_of(s) != 0) {
      list_partial(bin, s);
      return;
    }
  } else {
    bin.partial.remove(s);
    s->listed = false;
  }
  // No object of it is used.
  if (bin.empty <= (bin.partial.count + bin.full.count) / empties_share) {
    ++bin.empty;
    list_partial(bin, s);
    return;
  }
  s->owner.store(nullptr, relaxed);
  give_pages(s);
}

void free_remote(mcache* cache, mspan* s, free_object* object) noexcept {
  mcache* owner = s->owner.load(acquire);
  // Who owns a span may change until its lock is held.
  while (owner == nullptr) {
    if (central_free(s, object)) return;
    owner = s->owner.load(acquire);
  }
  if (cache == nullptr) {
    post_chain(owner, object, object, 0);
    return;
  }
  mcache::batch& batch = cache->batches[batch_slot(owner)];
  if (batch.to != owner) {
    post(batch, cache->depth);
    batch.to = owner;
  }
  if (batch.head == nullptr) batch.tail = object;
  object->next = encode(object, batch.head);
  batch.head = object;
  if (++batch.count >= mcache::batch_objects) post(batch, cache->depth);
}

void free_other(mcache* cache, mspan* s, free_object* object) noexcept {
  if (is_sampled(s) || is_checked(s)) [[unlikely]]
    return free_slow(object);
  object->mark = mark_of(object);
  free_remote(cache, s, object);
}

bool claim_cache(mcache* cache) noexcept {
  for (;;) {
    auto seen = cache_claim::idle;
    // acquire: what the last one did to the lists; partner: unclaim_cache(), end_visit().
    if (cache->claim.compare_exchange(seen, cache_claim::claimed, acquire, relaxed)) {
      cache->claims.store(cache->claims.load(relaxed) + 1, relaxed);
      return true;
    }
    if (seen == cache_claim::visited &&
        cache->claim.compare_exchange(seen, cache_claim::deserted, relaxed, relaxed))
      return false;
  }
}

void unclaim_cache(mcache* cache) noexcept {
  // release: the lists; partner: the acquire in claim_cache() and begin_visit().
  cache->claim.store(cache_claim::idle, release);
}

void put_spare_cache(mcache* cache) noexcept {
  unclaim_cache(cache);
  push_spare(cache);
}

namespace {

mcache* new_cache() noexcept {
  void* memory = metadata_take(sizeof(mcache));
  if (memory == nullptr) return nullptr;
  auto* cache = new (memory) mcache;
  cache->random = random_seed();
  for (mcache::bin& bin : cache->bins) bin.current = &no_span;
  mcache* first = caches.load(relaxed);
  do {
    cache->all_link = first;
    // release: the cache; partner: all_caches().
  } while (!caches.compare_exchange(first, cache, release, relaxed));
  return cache;
}

}  // namespace

mcache* make_cache_apart() noexcept {
  // Not a spare one: that has spans, with objects of others.
  mcache* cache = new_cache();
  if (cache == nullptr) return nullptr;
  cache->keeps_apart = true;
  for (mcache::bin& bin : cache->bins) bin.until_sample = INT32_MAX;
  return cache;
}

mcache* acquire_cache() noexcept {
  for (;;) {
    mcache* cache = nullptr;
    {
      kept_lock_scope hold(spare_lock);
      cache = spare_caches;
      if (cache != nullptr) spare_caches = cache->link;
    }
    if (cache == nullptr) break;
    cache->link = nullptr;
    if (claim_cache(cache)) return cache;
  }
  mcache* cache = new_cache();
  if (cache == nullptr) return nullptr;
  for (uint32_t at = 0; at < size_class_count; ++at)
    begin_interval(cache->bins[at], cache->random, at);
  return cache;
}

void release_cache(mcache* cache) noexcept {
  // In this order: what came to the inbox by mistake goes into batches.
  (void)drain_inbox(*cache);
  post_all(*cache, 0);
  give_spans_to_central(*cache);
  put_spare_cache(cache);
  // It owns no span; who posted to it until now did not find it idle.
  visit(cache, 0);
}

mcache* all_caches() noexcept { return caches.load(acquire); }

void visit_idle_caches() noexcept {
  for (mcache* cache = all_caches(); cache != nullptr; cache = cache->all_link) {
    if (!begin_visit(cache)) continue;
    drain_inbox(*cache);
    const uint32_t claims = cache->claims.load(relaxed);
    if (claims == cache->seen_claims) give_spans_to_central(*cache);
    cache->seen_claims = claims;
    post_all(*cache, 0);
    end_visit(cache);
  }
}

void cache_pool_lock() noexcept WEFT_UNCHECKED { spare_lock.lock(); }
void cache_pool_unlock() noexcept WEFT_UNCHECKED { spare_lock.unlock(); }

}  // namespace weft::rt
