// SPDX-License-Identifier: Apache-2.0
// malloc and free: the fast paths, large objects, and what a thread leaves behind.
#include "weft/heap/alloc.hpp"

#include <pthread.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/heap/internal/central.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/fast_path.hpp"
#include "weft/heap/internal/heap_errors.hpp"
#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

namespace {

// Free pages that stay resident beside those in use. Below it nothing is given back: programs that
// free and allocate large objects in turn would pay for a page fault each time.
constexpr size_t keep_at_least = size_t{64} << 20;

pthread_key_t exit_key;
pthread_once_t start_once = PTHREAD_ONCE_INIT;

void thread_ends(void* value) {
  // Destructors of other keys may still allocate: the cache is given up in the last round.
  if (++cache_exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    (void)pthread_setspecific(exit_key, value);
    return;
  }
  mcache* cache = this_cache;
  this_cache = nullptr;
  if (cache != nullptr) release_cache(cache);
}

// In the order of their ranks.
void before_fork() {
  cache_pool_lock();
  central_lock_all();
  page_heap_lock();
}
void after_fork() {
  page_heap_unlock();
  central_unlock_all();
  cache_pool_unlock();
}

/// May allocate: the caller has its cache by then.
void watch_threads_and_forks() {
  if (pthread_key_create(&exit_key, thread_ends) != 0)
    fatal("heap: no pthread key left (PTHREAD_KEYS_MAX)");
  (void)pthread_atfork(before_fork, after_fork, after_fork);
}

__attribute__((noinline)) mcache* cache_of_new_thread() noexcept {
  heap_start();
  mcache* cache = acquire_cache();
  if (cache == nullptr) return nullptr;
  this_cache = cache;
  (void)pthread_once(&start_once, watch_threads_and_forks);
  (void)pthread_setspecific(exit_key, cache);
  return cache;
}

void* allocate_large(size_t bytes, size_t alignment, bool zeroed) noexcept {
  if (this_cache == nullptr && cache_of_new_thread() == nullptr) return nullptr;
  if (bytes > PTRDIFF_MAX - alignment - heap_page_bytes) return nullptr;
  if (bytes == 0) bytes = 1;
  const size_t pages = (bytes + heap_page_bytes - 1) >> heap_page_shift;
  if (pages > UINT32_MAX / 2) return nullptr;
  mspan* s = alignment <= heap_page_bytes ? take_pages(pages, span_state::large)
                                          : take_pages_aligned(pages, alignment);
  if (s == nullptr) return nullptr;
  s->asked_bytes = bytes;
  auto* object = reinterpret_cast<void*>(s->base);
  if constexpr (race_enabled) race_acquire(object);  // partner: free_fast()
  if (zeroed && !s->zero) std::memset(object, 0, bytes);
  return object;
}

void free_large(mspan* s) noexcept {
  s->state = span_state::unused;  // a second free at the same time finds no large object
  give_pages(s);
  const page_heap_stats now = page_statistics();
  const size_t keep = now.in_use_bytes > keep_at_least ? now.in_use_bytes : keep_at_least;
  if (now.resident_free_bytes > keep) (void)release_free_pages(keep / 2);
}

/// The span of an object in use; ends the process if there is no such object.
mspan* span_of_object(uintptr_t address) noexcept {
  mspan* s = span_of(address);
  if (s == nullptr) die_of_bad_free(address);
  if (s->state == span_state::large) {
    if (s->base != address) die_of_bad_free(address);
    return s;
  }
  const auto* object = reinterpret_cast<const free_object*>(address);
  const uintptr_t offset = address - s->base;
  if (s->state != span_state::small || offset >= s->carved_bytes.load(relaxed) ||
      offset % s->object_bytes != 0 || object->mark == mark_of(object))
    die_of_bad_free(address);
  return s;
}

void* move_object(void* object, size_t had, size_t bytes) noexcept {
  void* moved = heap_allocate(bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, object, had < bytes ? had : bytes);
  heap_free(object);
  return moved;
}

}  // namespace

void* allocate_slow(size_t bytes) noexcept {
  if (bytes > small_bytes_max) return allocate_large(bytes, heap_page_bytes, false);
  mcache* cache = this_cache;
  if (cache == nullptr) cache = cache_of_new_thread();
  if (cache == nullptr) return nullptr;
  return refill(*cache, class_of(bytes));
}

void free_slow(void* freed) noexcept {
  if (freed == nullptr) return;
  mspan* s = span_of_object(reinterpret_cast<uintptr_t>(freed));
  if (s->state == span_state::large) {
    free_large(s);
    return;
  }
  auto* object = static_cast<free_object*>(freed);
  object->mark = mark_of(object);
  if (this_cache == nullptr) (void)cache_of_new_thread();
  free_remote(this_cache, s, object);
}

void* heap_allocate(size_t bytes) noexcept {
  void* object = allocate_fast(bytes);
  if constexpr (race_enabled)
    if (object != nullptr) race_acquire(object);  // partner: free_fast()
  return object;
}

void heap_free(void* object) noexcept { free_fast(object); }

void* heap_allocate_zeroed(size_t bytes) noexcept {
  if (bytes > small_bytes_max) return allocate_large(bytes, heap_page_bytes, true);
  void* object = heap_allocate(bytes);
  if (object != nullptr) std::memset(object, 0, bytes);
  return object;
}

void* heap_allocate_aligned(size_t bytes, size_t alignment) noexcept {
  if (alignment <= 16) return heap_allocate(bytes);
  if (alignment > heap_page_bytes) return allocate_large(bytes, alignment, false);
  if (bytes <= small_bytes_max) {
    size_t wanted = bytes < alignment ? alignment : bytes;
    // A class that is a multiple of the alignment; the doublings themselves are.
    for (uint32_t at = class_of(wanted); at < size_class_count; ++at)
      if (class_bytes(at) % alignment == 0) return heap_allocate(class_bytes(at));
  }
  return allocate_large(bytes, heap_page_bytes, false);
}

size_t heap_usable_bytes(const void* object) noexcept {
  if (object == nullptr) return 0;
  const mspan* s = span_of_object(reinterpret_cast<uintptr_t>(object));
  return s->state == span_state::small ? s->object_bytes : size_t{s->pages} << heap_page_shift;
}

void* heap_reallocate(void* object, size_t bytes) noexcept {
  if (object == nullptr) return heap_allocate(bytes);
  mspan* s = span_of_object(reinterpret_cast<uintptr_t>(object));
  if (s->state == span_state::small) {
    const size_t had = s->object_bytes;
    // Stays if it fits and at most half of it is lost.
    if (bytes <= had && bytes >= had / 2) return object;
    return move_object(object, had, bytes);
  }
  const size_t pages = (bytes + heap_page_bytes - 1) >> heap_page_shift;
  if (bytes > small_bytes_max && bytes <= PTRDIFF_MAX &&
      (pages == s->pages || resize_pages(s, pages))) {
    s->asked_bytes = bytes;
    return object;
  }
  return move_object(object, size_t{s->pages} << heap_page_shift, bytes);
}

bool heap_trim(size_t keep) noexcept { return release_free_pages(keep) != 0; }

heap_summary heap_totals() noexcept {
  const page_heap_stats now = page_statistics();
  return {now.reserved_bytes, now.in_use_bytes, now.free_bytes, now.resident_free_bytes, now.spans};
}

}  // namespace weft::rt
