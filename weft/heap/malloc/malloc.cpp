// SPDX-License-Identifier: Apache-2.0
// The C library's and C++'s allocation functions, by Weft's heap. The linker and the dynamic loader
// take these in the place of the C library's, also for calls that libraries make.
//
// What the standards and glibc's manual say is kept: errno is ENOMEM when null is returned,
// realloc(p, 0) frees, posix_memalign() reports by its result.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>

#include "weft/heap/alloc.hpp"
#include "weft/heap/internal/fast_path.hpp"

#define WEFT_REPLACES __attribute__((visibility("default")))

namespace {

constexpr size_t system_page = 4096;

void* or_enomem(void* object) noexcept {
  if (object == nullptr) [[unlikely]]
    errno = ENOMEM;
  return object;
}

__attribute__((noinline)) void* malloc_slow(size_t bytes) noexcept {
  return or_enomem(weft::rt::allocate_slow(bytes));
}

bool power_of_two(size_t n) noexcept { return n != 0 && (n & (n - 1)) == 0; }

/// operator new: calls the new-handler until there is memory, as the standard says.
__attribute__((noinline)) void* new_slow(size_t bytes, size_t alignment) {
  for (;;) {
    void* object = weft::rt::heap_allocate_aligned(bytes, alignment);
    if (object != nullptr) return object;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void* new_object(size_t bytes) {
  void* object = weft::rt::allocate_fast(bytes);
  return object != nullptr ? object : new_slow(bytes, 1);
}

void* new_nothrow(size_t bytes, size_t alignment) noexcept {
  try {
    return new_slow(bytes, alignment);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

extern "C" {

WEFT_REPLACES void* malloc(size_t bytes) noexcept {
  return weft::rt::allocate_fast<malloc_slow>(bytes);
}

WEFT_REPLACES void free(void* object) noexcept { weft::rt::free_fast(object); }

WEFT_REPLACES void* calloc(size_t count, size_t each) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return or_enomem(nullptr);
  return or_enomem(weft::rt::heap_allocate_zeroed(bytes));
}

WEFT_REPLACES void* realloc(void* object, size_t bytes) noexcept {
  if (object != nullptr && bytes == 0) {
    weft::rt::free_fast(object);
    return nullptr;
  }
  return or_enomem(weft::rt::heap_reallocate(object, bytes));
}

WEFT_REPLACES void* reallocarray(void* object, size_t count, size_t each) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return or_enomem(nullptr);
  return realloc(object, bytes);
}

WEFT_REPLACES int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  if (!power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* object = weft::rt::heap_allocate_aligned(bytes, alignment);
  if (object == nullptr) return ENOMEM;
  *out = object;
  return 0;
}

WEFT_REPLACES void* memalign(size_t alignment, size_t bytes) noexcept {
  // As glibc: other alignments are rounded up.
  if (alignment > SIZE_MAX / 2 + 1) {
    errno = EINVAL;
    return nullptr;
  }
  while (!power_of_two(alignment))
    alignment = alignment == 0 ? 1 : (alignment | (alignment - 1)) + 1;
  return or_enomem(weft::rt::heap_allocate_aligned(bytes, alignment));
}

WEFT_REPLACES void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  return memalign(alignment, bytes);
}

WEFT_REPLACES void* valloc(size_t bytes) noexcept { return memalign(system_page, bytes); }

WEFT_REPLACES void* pvalloc(size_t bytes) noexcept {
  if (bytes > SIZE_MAX - system_page) return or_enomem(nullptr);
  return memalign(system_page, (bytes + system_page - 1) & ~(system_page - 1));
}

WEFT_REPLACES size_t malloc_usable_size(void* object) noexcept {
  return weft::rt::heap_usable_bytes(object);
}

WEFT_REPLACES int malloc_trim(size_t keep) noexcept { return weft::rt::heap_trim(keep) ? 1 : 0; }

}  // extern "C"

WEFT_REPLACES void* operator new(size_t bytes) { return new_object(bytes); }
WEFT_REPLACES void* operator new[](size_t bytes) { return new_object(bytes); }
WEFT_REPLACES void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return new_nothrow(bytes, 1);
}
WEFT_REPLACES void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return new_nothrow(bytes, 1);
}
WEFT_REPLACES void* operator new(size_t bytes, std::align_val_t alignment) {
  return new_slow(bytes, static_cast<size_t>(alignment));
}
WEFT_REPLACES void* operator new[](size_t bytes, std::align_val_t alignment) {
  return new_slow(bytes, static_cast<size_t>(alignment));
}
WEFT_REPLACES void* operator new(size_t bytes, std::align_val_t alignment,
                                 const std::nothrow_t&) noexcept {
  return new_nothrow(bytes, static_cast<size_t>(alignment));
}
WEFT_REPLACES void* operator new[](size_t bytes, std::align_val_t alignment,
                                   const std::nothrow_t&) noexcept {
  return new_nothrow(bytes, static_cast<size_t>(alignment));
}

WEFT_REPLACES void operator delete(void* object) noexcept { weft::rt::free_fast(object); }
WEFT_REPLACES void operator delete[](void* object) noexcept { weft::rt::free_fast(object); }
WEFT_REPLACES void operator delete(void* object, size_t bytes) noexcept {
  weft::rt::free_sized_fast(object, bytes);
}
WEFT_REPLACES void operator delete[](void* object, size_t bytes) noexcept {
  weft::rt::free_sized_fast(object, bytes);
}
WEFT_REPLACES void operator delete(void* object, const std::nothrow_t&) noexcept {
  weft::rt::free_fast(object);
}
WEFT_REPLACES void operator delete[](void* object, const std::nothrow_t&) noexcept {
  weft::rt::free_fast(object);
}
WEFT_REPLACES void operator delete(void* object, std::align_val_t) noexcept {
  weft::rt::free_fast(object);
}
WEFT_REPLACES void operator delete[](void* object, std::align_val_t) noexcept {
  weft::rt::free_fast(object);
}
WEFT_REPLACES void operator delete(void* object, size_t bytes, std::align_val_t) noexcept {
  weft::rt::free_sized_fast(object, bytes);
}
WEFT_REPLACES void operator delete[](void* object, size_t bytes, std::align_val_t) noexcept {
  weft::rt::free_sized_fast(object, bytes);
}
