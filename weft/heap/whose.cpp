// SPDX-License-Identifier: Apache-2.0
// Finding the object that an address is in.
#include "weft/heap/internal/whose.hpp"

#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

// What it reads may be anybody's, also what a sanitizer holds to be freed.
__attribute__((no_sanitize("address"))) heap_owner whose(uintptr_t address) noexcept {
  if (address - arena.base >= arena.bytes) return {};
  const mspan* s = span_of(address);
  if (s == nullptr) return {heap_place::free_pages, 0, 0};
  const uintptr_t offset = address - s->base;
  if (s->state == span_state::large) return {heap_place::object, s->base, s->asked_bytes};
  if (s->state != span_state::small || offset >= s->carved_bytes.load(relaxed) ||
      s->object_bytes == 0)
    return {heap_place::free_pages, 0, 0};
  const uintptr_t base = address - offset % s->object_bytes;
  const auto* object = reinterpret_cast<const free_object*>(base);
  // Objects of one word have no room for the mark: they are taken to be in use.
  const bool is_free = s->object_bytes >= sizeof(free_object) && object->mark == mark_of(object);
  return {is_free ? heap_place::free_object : heap_place::object, base, s->object_bytes};
}

}  // namespace weft::rt
