// SPDX-License-Identifier: Apache-2.0
// Which mistake a bad free is, in one line each.
#include "weft/heap/internal/heap_errors.hpp"

#include "weft/base/panic.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

void die_of_bad_free(uintptr_t address) noexcept {
  const auto shown = static_cast<int64_t>(address);
  const mspan* s = span_of(address);
  if (s == nullptr) fatal("heap: free of %x, which is not memory of this heap", shown);
  const uintptr_t offset = address - s->base;
  if (offset >= size_t{s->pages} << heap_page_shift || s->state == span_state::free ||
      s->state == span_state::unused)
    fatal("heap: free of %x: double free, or never allocated (its pages are free)", shown);
  if (s->state == span_state::large)
    fatal("heap: free of %x: %d bytes inside an object of %d bytes", shown,
          static_cast<int64_t>(offset), static_cast<int64_t>(s->asked_bytes));
  const auto bytes = static_cast<int64_t>(s->object_bytes);
  if (offset >= s->carved_bytes.load(relaxed))
    fatal("heap: free of %x: never allocated (size class %d)", shown, bytes);
  if (const auto inside = static_cast<int64_t>(offset % s->object_bytes); inside != 0)
    fatal("heap: free of %x: %d bytes inside an object of size class %d", shown, inside, bytes);
  fatal("heap: free of %x: double free (size class %d)", shown, bytes);
}

void die_of_free_list(const mspan* s, const free_object* object) noexcept {
  fatal(
      "heap: free object %x was written to: used after it was freed, or the object before it was "
      "overrun (size class %d)",
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(object)),
      static_cast<int64_t>(s->object_bytes));
}

}  // namespace weft::rt
