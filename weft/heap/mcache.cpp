// SPDX-License-Identifier: Apache-2.0
// The slow paths of a cache: where the next object comes from, and where freed ones go.
#include "weft/heap/internal/mcache.hpp"

#include <new>

#include "weft/base/futex_mutex.hpp"
#include "weft/heap/internal/central.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/heap_errors.hpp"

namespace weft::rt {

namespace {

// A span without objects, for bins that have none: malloc needs no test for null.
constinit mspan no_span{};

// Objects made free at a time: a page of the machine's, so memory is touched as it is needed.
constexpr uint32_t carve_bytes = 4096;

// `used` never gets there: current spans are on no list that a free could change.
constexpr uint32_t notify_never = ~0u;

// Slow paths between two rounds of posting what is left in batches.
constexpr uint32_t post_every = 64;

// Empty spans that a bin keeps: as many as an eighth of its spans, and one. Fewer would ask the
// page heap for each round of a program that frees all it has; more would keep memory for nothing.
constexpr uint32_t empties_share = 8;

futex_mutex idle_lock{lock_rank::cache_pool};
mcache* idle_caches = nullptr;

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
  // Backwards, so that they are handed out in the order of their addresses.
  for (uint32_t i = count; i-- > 0;) {
    auto* object = reinterpret_cast<free_object*>(s->base + carved + i * s->object_bytes);
    object->mark = mark_of(object);
    push_free(s, object);
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
  ++s->used;
  object->mark = 0;
}

/// An own object comes back from elsewhere.
void take_back(mcache& cache, mspan* s, free_object* object) noexcept {
  push_free(s, object);
  if (--s->used == s->notify_at) span_changed(cache, s);
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
  // acquire: the links in the chain; partner: the exchange in post_chain().
  distribute(&cache, cache.inbox.exchange(nullptr, acquire));
  return true;
}

void post_chain(mcache* to, free_object* head, free_object* tail) noexcept {
  free_object* first = to->inbox.load(relaxed);
  do {
    tail->next = encode(tail, first);
    // seq_cst: also "post, then look whether it is idle"; partner: release_cache().
  } while (!to->inbox.compare_exchange(first, head, seq_cst, relaxed));
  // It owns nothing, so each object goes to central or to another owner.
  if (to->idle.load(seq_cst) != 0) distribute(nullptr, to->inbox.exchange(nullptr, acquire));
}

void post(mcache::batch& batch) noexcept {
  if (batch.count == 0) return;
  mcache* to = batch.to;
  free_object* head = batch.head;
  free_object* tail = batch.tail;
  batch = {};
  post_chain(to, head, tail);
}

void post_all(mcache& cache) noexcept {
  for (mcache::batch& batch : cache.batches) post(batch);
}

}  // namespace

void* refill(mcache& cache, uint32_t size_class) noexcept {
  mcache::bin& bin = cache.bins[size_class];
  if (++cache.ticks % post_every == 0) post_all(cache);
  for (;;) {
    mspan* s = bin.current;
    if (s->free == nullptr && s != &no_span) (void)carve(s);
    if (s->free == nullptr && drain_inbox(cache)) continue;
    if (free_object* object = s->free; object != nullptr) {
      take_first(s, object);
      return object;
    }
    if (s != &no_span) {
      // Full. The first object that comes back is news.
      s->notify_at = s->capacity - 1;
      bin.full.push(s);
      bin.current = &no_span;
    }
    mspan* next = bin.partial.pop();
    if (next != nullptr) {
      next->listed = false;
      if (next->used == 0) --bin.empty;
    } else {
      next = central_take(size_class, &cache);
      if (next == nullptr) next = new_span(cache, size_class);
    }
    if (next == nullptr) return nullptr;
    next->notify_at = notify_never;
    bin.current = next;
  }
}

void span_changed(mcache& cache, mspan* s) noexcept {
  mcache::bin& bin = cache.bins[s->size_class];
  if (s->notify_at != 0) {
    // It was full.
    s->notify_at = 0;
    bin.full.remove(s);
    if (s->used != 0) {
      s->listed = true;
      bin.partial.push(s);
      return;
    }
  } else {
    bin.partial.remove(s);
    s->listed = false;
  }
  // No object of it is used.
  if (bin.empty <= (bin.partial.count + bin.full.count) / empties_share) {
    ++bin.empty;
    s->listed = true;
    bin.partial.push(s);
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
    post_chain(owner, object, object);
    return;
  }
  mcache::batch& batch = cache->batches[batch_slot(owner)];
  if (batch.to != owner) {
    post(batch);
    batch.to = owner;
  }
  if (batch.head == nullptr) batch.tail = object;
  object->next = encode(object, batch.head);
  batch.head = object;
  if (++batch.count >= mcache::batch_objects) post(batch);
}

mcache* acquire_cache() noexcept {
  mcache* cache = nullptr;
  {
    kept_lock_scope hold(idle_lock);
    cache = idle_caches;
    if (cache != nullptr) idle_caches = cache->link;
  }
  if (cache == nullptr) {
    void* memory = metadata_take(sizeof(mcache));
    if (memory == nullptr) return nullptr;
    cache = new (memory) mcache;
    for (mcache::bin& bin : cache->bins) bin.current = &no_span;
  }
  cache->link = nullptr;
  cache->idle.store(0, seq_cst);
  return cache;
}

void release_cache(mcache* cache) noexcept {
  // In this order: what came to the inbox by mistake goes into batches.
  (void)drain_inbox(*cache);
  post_all(*cache);
  for (mcache::bin& bin : cache->bins) {
    if (bin.current != &no_span) {
      mspan* s = bin.current;
      bin.current = &no_span;
      central_give(s);
    }
    while (mspan* s = bin.partial.pop()) central_give(s);
    while (mspan* s = bin.full.pop()) central_give(s);
    bin.empty = 0;
  }
  // Go idle, then look: partner: post_chain().
  cache->idle.store(1, seq_cst);
  if (cache->inbox.load(seq_cst) != nullptr)
    distribute(nullptr, cache->inbox.exchange(nullptr, acquire));
  kept_lock_scope hold(idle_lock);
  cache->link = idle_caches;
  idle_caches = cache;
}

void cache_pool_lock() noexcept WEFT_UNCHECKED { idle_lock.lock(); }
void cache_pool_unlock() noexcept WEFT_UNCHECKED { idle_lock.unlock(); }

}  // namespace weft::rt
