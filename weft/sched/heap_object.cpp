// SPDX-License-Identifier: Apache-2.0
// Where the runtime's objects come from.
#include "weft/sched/heap_object.hpp"

#include "weft/base/sanitizer.hpp"
#include "weft/heap/alloc.hpp"

namespace weft::rt {

namespace {

constexpr bool from_sanitizer = sanitizer::address || sanitizer::thread;

/// No memory: the program may have some to give up, as ::operator new asks it.
__attribute__((noinline)) void* object_new_slow(size_t bytes, size_t alignment) {
  for (;;) {
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
    if (void* object = heap_allocate_aligned(bytes, alignment)) return object;
  }
}

}  // namespace

void* object_new(size_t bytes, size_t alignment) {
  if constexpr (from_sanitizer) return ::operator new(bytes, std::align_val_t{alignment});
  void* object = heap_allocate_aligned(bytes, alignment);
  return object != nullptr ? object : object_new_slow(bytes, alignment);
}

void object_delete(void* object, [[maybe_unused]] size_t alignment) noexcept {
  if constexpr (from_sanitizer)
    ::operator delete(object, std::align_val_t{alignment});
  else
    heap_free(object);
}

}  // namespace weft::rt
