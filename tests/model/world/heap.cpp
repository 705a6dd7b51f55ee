// SPDX-License-Identifier: Apache-2.0
// What stands below the caches in a scenario: runs of pages from the arena, no sampler, no checked
// objects, no scavenger's thread.
#include "heap.hpp"

#include "tests/model/checker/checker.hpp"
#include "tests/model/checker/engine.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/heap/internal/background.hpp"
#include "weft/heap/internal/checked.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/fast_path.hpp"
#include "weft/heap/internal/heap_errors.hpp"
#include "weft/heap/internal/sampler.hpp"

namespace weft::rt {

heap_arena arena;
atomic<bool> background_wanted{false};

namespace {

constexpr uint32_t pages_each = class_pages(class_of(model::object_bytes));

futex_mutex pages_lock{lock_rank::page_heap};
mspan* unused_spans WEFT_GUARDED_BY(pages_lock) = nullptr;

/// Who has an object: beyond the words that are the heap's when it is free.
int& holders_of(void* object) { return *(static_cast<int*>(object) + 8); }

}  // namespace

mspan* take_pages(size_t, span_state state) noexcept {
  kept_lock_scope hold(pages_lock);
  mspan* s = unused_spans;
  if (s == nullptr) return nullptr;
  unused_spans = s->next;
  s->next = s->prev = nullptr;
  s->state = state;
  s->free = nullptr;
  s->left = s->budget = 0;
  s->taken = s->freed = 0;
  s->listed = s->full = false;
  return s;
}

void give_pages(mspan* s) noexcept {
  kept_lock_scope hold(pages_lock);
  model::check(used_of(s) == 0, "pages with an object in use are given back");
  s->owner.store(nullptr, relaxed);
  s->carved_bytes.store(0, relaxed);
  s->state = span_state::unused;
  s->next = unused_spans;
  unused_spans = s;
}

void* metadata_take(size_t bytes) noexcept {
  const model::inside in;
  return model::arena_raw(bytes, 64);
}

void begin_interval(mcache::bin& bin, uint64_t&, uint32_t) noexcept {
  bin.until_sample = INT32_MAX;
  bin.sample_due = false;
}
uint64_t random_seed() noexcept { return 1; }
bool is_sampled(const mspan*) noexcept { return false; }
bool is_checked(const mspan*) noexcept { return false; }
void free_slow(void*) noexcept { model::fail("free_slow() is not a part of the scenario"); }
void die_of_free_list(const mspan*, const free_object*) noexcept {
  model::fail("a list of free objects is broken");
}

}  // namespace weft::rt

namespace model {

using namespace weft::rt;

void start_heap(uint32_t spans) {
  const size_t each = size_t{pages_each} << heap_page_shift;
  {
    const inside in;
    arena.base = reinterpret_cast<uintptr_t>(arena_raw(spans * each, heap_page_bytes));
    arena.bytes = spans * each;
    arena.spans = static_cast<mspan*>(arena_raw((spans + 1) * sizeof(mspan), 64));
    arena.pages = static_cast<weft::rt::atomic<uint32_t>*>(
        arena_raw(spans * pages_each * sizeof(uint32_t), 64));
  }
  arena.secret = 0x5eed0001;
  kept_lock_scope hold(pages_lock);
  for (uint32_t i = spans; i > 0; --i) {
    auto* s = new (&arena.spans[i]) mspan{};
    s->base = arena.base + (i - 1) * each;
    s->pages = pages_each;
    for (uint32_t page = 0; page < pages_each; ++page)
      (new (&arena.pages[(i - 1) * pages_each + page]) weft::rt::atomic<uint32_t>)
          ->store(i, weft::rt::relaxed);
    for (size_t at = 0; at < each; at += object_bytes)  // the arena is not cleared
      holders_of(reinterpret_cast<void*>(s->base + at)) = 0;
    s->next = unused_spans;
    unused_spans = s;
  }
}

void* allocate(mcache* cache) {
  bool sampled = false;
  void* object = refill(*cache, class_of(object_bytes), sampled);
  check(object != nullptr && !sampled, "there is no memory");
  check(holders_of(object) == 0, "an object is given twice");
  holders_of(object) = 1;
  return object;
}

void deallocate(mcache* cache, void* freed) {
  auto* object = static_cast<free_object*>(freed);
  mspan* s = span_of(reinterpret_cast<uintptr_t>(freed));
  check(object->mark != mark_of(object), "an object is free that is not");
  holders_of(object) = 0;
  if (s->owner.load(weft::rt::relaxed) != cache) {
    free_other(cache, s, object);
    return;
  }
  object->mark = mark_of(object);
  push_free(s, object);
  if (++s->freed == s->notify_at) span_changed(*cache, s);
}

void check_heap(uint32_t used) {
  visit_idle_caches();
  for (mcache* cache = all_caches(); cache != nullptr; cache = cache->all_link) {
    check(cache->claim.load(weft::rt::relaxed) == cache_claim::idle, "a cache is not idle");
    check(cache->inbox.load(weft::rt::relaxed) == nullptr, "an idle cache's inbox is not empty");
  }
  uint32_t in_use = 0;
  const size_t spans = arena.bytes / (size_t{pages_each} << heap_page_shift);
  for (size_t i = 1; i <= spans; ++i) {
    const mspan* s = &arena.spans[i];
    if (s->state != span_state::small) continue;
    const auto carved =
        static_cast<uint32_t>(s->carved_bytes.load(weft::rt::relaxed) / s->object_bytes);
    uint32_t listed = 0;
    for (const free_object* object = s->free; object != nullptr; object = decode(object))
      check(++listed <= carved, "a list of free objects goes round in a circle");
    check(used_of(s) + listed == carved, "an object is lost");
    in_use += used_of(s);
  }
  check(in_use == used, "an object is lost on its way");
}

}  // namespace model
