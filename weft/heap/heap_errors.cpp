// SPDX-License-Identifier: Apache-2.0
// Which mistake a bad free is, in one line each.
#include "weft/heap/internal/heap_errors.hpp"

#include "weft/base/panic.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

namespace {

/// Where it happened: the runtime's report shows that, too, but a preloaded heap has no runtime.
void print_stack_here() noexcept {
  if (has_goroutine_dump()) return;
  print_recorded_stack("heap: misuse found at:", record_stack_here());
}

}  // namespace

void die_of_bad_free(uintptr_t address) noexcept {
  const auto shown = static_cast<int64_t>(address);
  const mspan* s = span_of(address);
  print_stack_here();
  if (s == nullptr) fatal("heap: free of %x, which is not memory of this heap", shown);
  const uintptr_t offset = address - s->base;
  if (offset >= size_t{s->pages} << heap_page_shift ||
      (s->state != span_state::small && s->state != span_state::large))
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
  print_stack_here();
  fatal(
      "heap: free object %x was written to: used after it was freed, or the object before it was "
      "overrun (size class %d)",
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(object)),
      static_cast<int64_t>(s->object_bytes));
}

void die_of_overrun(const void* object, size_t bytes) noexcept {
  print_stack_here();
  fatal("heap: object %x of %d bytes was overrun: what the heap keeps behind it was written to",
        static_cast<int64_t>(reinterpret_cast<uintptr_t>(object)), static_cast<int64_t>(bytes));
}

void die_of_checked(checked_error what, const void* object, size_t bytes, const void* where,
                    const recorded_stack* allocated_at, const recorded_stack* freed_at) noexcept {
  const auto address = reinterpret_cast<uintptr_t>(object);
  const auto shown = static_cast<int64_t>(address);
  const auto size = static_cast<int64_t>(bytes);
  const auto at = static_cast<int64_t>(reinterpret_cast<uintptr_t>(where));
  print_stack_here();
  // A header that was overrun points anywhere.
  if (is_metadata(allocated_at)) print_recorded_stack("heapcheck: allocated at:", allocated_at);
  if (is_metadata(freed_at)) print_recorded_stack("heapcheck: freed at:", freed_at);
  switch (what) {
    case checked_error::overrun:
      fatal("heap: object %x of %d bytes was overrun: written at %x", shown, size, at);
    case checked_error::underrun:
      fatal("heap: written before object %x of %d bytes, at %x", shown, size, at);
    case checked_error::double_free:
      fatal("heap: free of %x: double free (%d bytes)", shown, size);
    case checked_error::written_after_free:
      fatal("heap: object %x of %d bytes was written to after it was freed, at %x", shown, size,
            at);
    case checked_error::wrong_size:
      fatal("heap: delete of %x with a size of %d bytes: it was allocated with %d", shown, at,
            size);
  }
  __builtin_unreachable();
}

}  // namespace weft::rt
