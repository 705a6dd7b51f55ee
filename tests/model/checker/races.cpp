// SPDX-License-Identifier: Apache-2.0
// Production sources are compiled with ThreadSanitizer's instrumentation and linked without its
// library: each plain access calls one of these, and the checker judges races by its own clocks.
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "engine.hpp"

namespace {
inline void note(const void* at, size_t bytes, bool write) {
  if (model::the_engine == nullptr) return;
  model::note_plain(at, bytes, write);
}
bool in_arena(const void* p) {
  const model::engine* e = model::the_engine;
  return e != nullptr && p >= e->arena && p < e->arena + model::arena_bytes;
}
void* allocate(size_t bytes, size_t alignment) {
  if (model::simulated()) {
    const model::inside in;
    return model::arena_allocate(bytes, alignment);
  }
  void* p = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (p == nullptr) std::abort();
  return p;
}
}  // namespace

#define WEFT_ACCESS(bytes)                                                      \
  void __tsan_read##bytes(void* at) { note(at, bytes, false); }                 \
  void __tsan_write##bytes(void* at) { note(at, bytes, true); }                 \
  void __tsan_unaligned_read##bytes(const void* at) { note(at, bytes, false); } \
  void __tsan_unaligned_write##bytes(void* at) { note(at, bytes, true); }       \
  void __tsan_read_write##bytes(void* at) { note(at, bytes, true); }            \
  void __tsan_unaligned_read_write##bytes(void* at) { note(at, bytes, true); }

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
WEFT_ACCESS(1)
WEFT_ACCESS(2)
WEFT_ACCESS(4)
WEFT_ACCESS(8)
WEFT_ACCESS(16)
void __tsan_read_range(void* at, size_t bytes) { note(at, bytes, false); }
void __tsan_write_range(void* at, size_t bytes) { note(at, bytes, true); }
// The library's own counts (shared_ptr): simulated threads share a kernel thread, so plain adding
// is atomic.
int __tsan_atomic32_fetch_add(int* at, int operand, int) {
  const int old = *at;
  *at = old + operand;
  return old;
}
int __tsan_atomic32_load(const int* at, int) { return *at; }
char __tsan_atomic8_load(const char* at, int) { return *at; }
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  note(from, bytes, false);
  note(to, bytes, true);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  note(from, bytes, false);
  note(to, bytes, true);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  note(to, bytes, true);
  return std::memset(to, value, bytes);
}
}

// The heap of an execution is the arena: the same addresses every time, and memory that is given
// back is written, so that whoever still uses it races.
void* operator new(size_t bytes) { return allocate(bytes, 16); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment) < 16 ? 16 : static_cast<size_t>(alignment));
}
void operator delete(void* p) noexcept {
  if (!in_arena(p)) std::free(p);
}
void operator delete(void* p, size_t bytes) noexcept {
  if (!in_arena(p))
    std::free(p);
  else
    note(p, bytes, true);
}
void operator delete(void* p, std::align_val_t) noexcept { operator delete(p); }
void operator delete(void* p, size_t bytes, std::align_val_t) noexcept {
  operator delete(p, bytes);
}
