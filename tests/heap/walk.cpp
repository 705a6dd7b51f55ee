// SPDX-License-Identifier: Apache-2.0
#include "walk.hpp"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace heap_test {

using weft::rt::arena;
using weft::rt::free_object;
using weft::rt::heap_page_shift;
using weft::rt::mspan;
using weft::rt::span_state;

namespace {

void must(bool holds, const char* what, const mspan* s) {
  if (holds) return;
  std::fprintf(stderr, "heap: %s: span of %u pages at %p, class of %u bytes, %u used\n", what,
               s->pages, reinterpret_cast<void*>(s->base), s->object_bytes, used_of(s));
  std::abort();
}

mspan* span_of_page(size_t page) {
  const uint32_t index = arena.pages[page].load(weft::rt::relaxed);
  return index == 0 ? nullptr : arena.spans + index;
}

/// Each carved object is used, on the list, or on its way back; the last two are marked.
void walk_span(const mspan* s, heap_state& state) {
  const size_t carved = s->carved_bytes.load(weft::rt::relaxed) / s->object_bytes;
  must(carved <= s->capacity, "carved beyond its end", s);
  std::vector<bool> listed(carved);
  size_t list_length = 0;
  for (const free_object* object = s->free; object != nullptr; object = weft::rt::decode(object)) {
    must(holds(s, object), "its list leads out of it", s);
    const size_t offset = reinterpret_cast<uintptr_t>(object) - s->base;
    must(offset % s->object_bytes == 0, "its list holds what is no object", s);
    must(!listed[offset / s->object_bytes], "its list holds an object twice", s);
    must(object->mark == mark_of(object), "its list holds an object that is not free", s);
    listed[offset / s->object_bytes] = true;
    ++list_length;
  }
  must(used_of(s) + list_length == carved, "used and listed objects are not all that were carved",
       s);
  size_t marked = 0;
  for (size_t i = 0; i < carved; ++i) {
    const auto* object = reinterpret_cast<const free_object*>(s->base + i * s->object_bytes);
    if (object->mark == mark_of(object)) ++marked;
  }
  must(marked >= list_length, "an object on its list is used", s);
  state.live_objects += carved - marked;
  state.in_flight += marked - list_length;
}

}  // namespace

heap_state walk_heap() {
  heap_state state;
  bool free_before = false;
  const size_t pages = arena.bytes >> heap_page_shift;
  for (size_t page = 0; page < pages;) {
    const mspan* s = span_of_page(page);
    if (s == nullptr) break;  // from here on nobody was ever given a page
    must(s->base == arena.base + (page << heap_page_shift), "its pages are not where it begins", s);
    must(s->pages > 0 && span_of_page(page + s->pages - 1) == s, "its last page is another's", s);
    const bool is_free = s->state == span_state::free;
    must(!(is_free && free_before), "free, and so is the run before it", s);
    free_before = is_free;
    if (s->state == span_state::small) {
      for (size_t i = 0; i < s->pages; ++i)
        must(span_of_page(page + i) == s, "one of its pages is another's", s);
      ++state.small_spans;
      walk_span(s, state);
    } else if (s->state == span_state::large) {
      ++state.live_runs;
    } else {
      must(is_free, "neither used nor free", s);
      ++state.free_runs;
    }
    page += s->pages;
  }
  return state;
}

}  // namespace heap_test
