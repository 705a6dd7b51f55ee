// SPDX-License-Identifier: Apache-2.0
// malloc and free of small objects by the thread that owns their span, inline: for heap_allocate()
// and for the functions that replace the C library's. Everything else is a call.
#pragma once

#include "weft/base/race.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

void* allocate_slow(size_t bytes) noexcept;
void free_slow(void* object) noexcept;
void free_sized_slow(void* object, size_t bytes) noexcept;

// Nothing is called but as the last thing: so nothing is saved on the stack. The slow paths look
// again at what is wrong. `Slow` is allocate_slow(), and what is done when there is no memory.
template <void* (*Slow)(size_t) noexcept = allocate_slow>
[[nodiscard]] inline void* allocate_fast(size_t bytes) noexcept {
  mcache* cache = this_cache;
  if (bytes > small_bytes_max || cache == nullptr) [[unlikely]]
    return Slow(bytes);
  mspan* s = cache->bins[class_of(bytes)].current;
  free_object* object = s->free;
  if (object == nullptr) [[unlikely]]
    return Slow(bytes);
  free_object* next = decode(object);
  if (next != nullptr && !holds(s, next)) [[unlikely]]
    return Slow(bytes);  // written to after it was freed
  if (--s->left < 0) [[unlikely]]
    return Slow(bytes);  // this one is sampled
  s->free = next;
  object->mark = 0;
  __builtin_prefetch(next);  // the next allocation reads its link
  return object;
}

// A span that is not small has no carved bytes, so no object of it passes.
inline void free_fast(void* freed) noexcept {
  // A free happens before the allocation that hands the same memory out again: as the same object,
  // or, when its span was given back, as a part of something else.
  if constexpr (race_enabled)
    if (freed != nullptr) {
      race_release(freed);
      race_release(&arena);  // partner: take_pages()
    }
  const auto address = reinterpret_cast<uintptr_t>(freed);
  mspan* s = span_of(address);
  mcache* cache = this_cache;
  if (s == nullptr || cache == nullptr) [[unlikely]]
    return free_slow(freed);
  auto* object = static_cast<free_object*>(freed);
  const uintptr_t offset = address - s->base;
  const uint64_t index = offset * s->reciprocal >> 32;
  const uintptr_t mark = mark_of(object);
  if (offset >= s->carved_bytes.load(relaxed) || index * s->object_bytes != offset ||
      object->mark == mark) [[unlikely]]
    return free_slow(freed);  // a large object, none at all, or a free one
  // relaxed: whether a span is this thread's is changed by this thread only.
  if (s->owner.load(relaxed) != cache) [[unlikely]]
    return free_other(cache, s, object);
  object->mark = mark;
  push_free(s, object);
  if (++s->freed == s->notify_at) [[unlikely]]
    return span_changed(*cache, s);
}

/// By a sized delete, which heapcheck compares with what was asked for.
inline void free_sized_fast(void* freed, size_t bytes) noexcept {
  if (this_cache == nullptr) [[unlikely]]
    return free_sized_slow(freed, bytes);
  free_fast(freed);
}

}  // namespace weft::rt
