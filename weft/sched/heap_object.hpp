// SPDX-License-Identifier: Apache-2.0
// Memory of the runtime's own objects: it comes from Weft's heap, whatever malloc the program has.
// Sanitizer builds take it from the sanitizer, which then sees leaks and uses after free.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include "weft/base/export.hpp"

namespace weft::rt {

/// As ::operator new: calls the new-handler, throws std::bad_alloc. Does not park; O(1).
[[nodiscard]] WEFT_API void* object_new(size_t bytes, size_t alignment);
/// Takes back what object_new() gave, from any thread.
WEFT_API void object_delete(void* object, size_t alignment) noexcept;

/// Base of a type of which `new` makes objects in Weft's heap. A base, not a member: `delete` finds
/// the way back by it.
struct heap_object {
  static void* operator new(size_t bytes) {
    return object_new(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  }
  static void* operator new(size_t bytes, std::align_val_t alignment) {
    return object_new(bytes, static_cast<size_t>(alignment));
  }
  static void* operator new(size_t, void* at) noexcept { return at; }
  static void operator delete(void* object) noexcept {
    object_delete(object, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  }
  static void operator delete(void* object, std::align_val_t alignment) noexcept {
    object_delete(object, static_cast<size_t>(alignment));
  }
  static void operator delete(void*, void*) noexcept {}
};

/// A T of any kind in Weft's heap.
template <class T>
struct boxed : heap_object {
  template <class... Arguments>
  explicit boxed(Arguments&&... arguments) : value(std::forward<Arguments>(arguments)...) {}
  T value;
};

/// For std::allocate_shared.
template <class T>
struct heap_allocator {
  using value_type = T;
  heap_allocator() noexcept = default;
  template <class U>
  heap_allocator(const heap_allocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] T* allocate(size_t count) {
    return static_cast<T*>(object_new(count * sizeof(T), alignof(T)));
  }
  void deallocate(T* object, size_t) noexcept { object_delete(object, alignof(T)); }
  template <class U>
  bool operator==(const heap_allocator<U>&) const noexcept {
    return true;
  }
};

}  // namespace weft::rt
