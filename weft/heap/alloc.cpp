// SPDX-License-Identifier: Apache-2.0
// malloc and free: the fast paths, large objects, and what a thread leaves behind.
#include "weft/heap/alloc.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/settings.hpp"
#include "weft/heap/control.hpp"
#include "weft/heap/internal/background.hpp"
#include "weft/heap/internal/cache_owner.hpp"
#include "weft/heap/internal/central.hpp"
#include "weft/heap/internal/checked.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/fast_path.hpp"
#include "weft/heap/internal/heap_errors.hpp"
#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"
#include "weft/heap/internal/sampler.hpp"

namespace weft::rt {

namespace {

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
  checked_lock();
  sampler_lock();
  cache_pool_lock();
  central_lock_all();
  page_heap_lock();
}
void after_fork() {
  page_heap_unlock();
  central_unlock_all();
  cache_pool_unlock();
  sampler_unlock();
  checked_unlock();
}
void after_fork_in_child() {
  after_fork();
  background_forgotten();
}

/// May allocate: the caller has its cache by then.
void watch_threads_and_forks() {
  if (pthread_key_create(&exit_key, thread_ends) != 0)
    fatal("heap: no pthread key left (PTHREAD_KEYS_MAX)");
  (void)pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/// 0: nobody read the settings yet; 1: somebody does; 2: they hold. The environment is not there
/// yet when the dynamic linker allocates, and a bad setting is reported with strings that allocate.
atomic<uint32_t> configured{0};

void configure() noexcept {
  uint32_t none = 0;
  if (environ == nullptr || !configured.compare_exchange(none, 1, acquire, relaxed)) return;
  const settings& wanted = process_settings();
  set_sample_rate(wanted.memory_profile_rate);
  set_memory_limit(wanted.memory_limit);
  if (wanted.no_scavenger)
    disable_background();
  else
    set_heap_trace(wanted.heaptrace_ms);
  if (mcache* cache = this_cache; cache != nullptr) {
    // Its first draws were for the default rate.
    for (uint32_t at = 0; at < size_class_count; ++at) renew_interval(*cache, at);
    if (wanted.heap_check) {
      this_cache = nullptr;
      release_cache(cache);
    }
  }
  if (wanted.heap_check) start_checking();
  configured.store(2, release);
}

__attribute__((noinline)) mcache* cache_of_new_thread() noexcept {
  heap_start();
  mcache* cache = acquire_cache();
  if (cache == nullptr) return nullptr;
  this_cache = cache;
  (void)pthread_once(&start_once, watch_threads_and_forks);
  (void)pthread_setspecific(exit_key, cache);
  if (configured.load(relaxed) == 0) configure();
  return this_cache;  // null: objects are checked ones
}

/// This thread has given its cache up for good; the C library may still free, seldom allocate.
bool thread_is_over() noexcept { return cache_exit_rounds >= PTHREAD_DESTRUCTOR_ITERATIONS; }

/// This thread's cache; null: there is no memory for one, or objects are checked ones.
mcache* ready_cache() noexcept {
  if (this_cache != nullptr || checking()) return this_cache;
  return cache_of_new_thread();
}

/// Behind every allocation that took a slow path.
void after_allocation() noexcept {
  if (thread_is_over()) [[unlikely]]
    heap_drop_cache();
  if (background_wanted.load(relaxed) && configured.load(relaxed) == 2) [[unlikely]]
    start_background();
}

void* allocate_large(size_t bytes, size_t alignment, bool zeroed) noexcept {
  mcache* cache = ready_cache();
  if (checking()) return checked_allocate(bytes, alignment, zeroed);
  if (cache == nullptr) return nullptr;
  if (bytes > PTRDIFF_MAX - alignment - heap_page_bytes) return nullptr;
  if (bytes == 0) bytes = 1;
  const size_t pages = (bytes + heap_page_bytes - 1) >> heap_page_shift;
  if (pages > UINT32_MAX / 2) return nullptr;
  mspan* s = alignment <= heap_page_bytes ? take_pages(pages, span_state::large)
                                          : take_pages_aligned(pages, alignment);
  if (s == nullptr) return nullptr;
  s->asked_bytes = bytes;
  sample_large(s, cache->random);
  after_allocation();
  auto* object = reinterpret_cast<void*>(s->base);
  if constexpr (race_enabled) race_acquire(object);  // partner: free_fast()
  if (zeroed && !s->zero) std::memset(object, 0, bytes);
  return object;
}

void free_large(mspan* s) noexcept {
  s->state = span_state::unused;  // a second free at the same time finds no large object
  unsample_large(s);
  give_pages(s);
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

size_t usable_bytes_of(const mspan* s, const void* object) noexcept {
  if (s->state == span_state::large) return size_t{s->pages} << heap_page_shift;
  return is_sampled(s) ? sampled_usable_bytes(s, object) : s->object_bytes;
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
  mcache* cache = ready_cache();
  if (checking()) return checked_allocate(bytes, 16, false);
  if (cache == nullptr) return nullptr;
  const uint32_t size_class = class_of(bytes);
  for (;;) {
    bool sampled = false;
    void* object = refill(*cache, size_class, sampled);
    if (sampled) object = sampled_allocate(size_class);
    if (object != nullptr || !sampled) {
      after_allocation();
      return object;
    }
    // No memory for the sampler's own: an ordinary one, of which the next may be drawn again.
  }
}

void free_slow(void* freed) noexcept {
  if (freed == nullptr) return;
  mcache* cache = this_cache;
  if (cache == nullptr && !thread_is_over()) cache = ready_cache();
  mspan* s = span_of(reinterpret_cast<uintptr_t>(freed));
  if (s != nullptr && is_checked(s)) {
    checked_free(s, freed);
    return;
  }
  s = span_of_object(reinterpret_cast<uintptr_t>(freed));
  if (s->state == span_state::large) {
    free_large(s);
    return;
  }
  auto* object = static_cast<free_object*>(freed);
  if (is_sampled(s)) {
    sampled_free(s, object);
    return;
  }
  object->mark = mark_of(object);
  free_remote(cache, s, object);
}

void free_sized_slow(void* freed, size_t bytes) noexcept {
  mspan* s = span_of(reinterpret_cast<uintptr_t>(freed));
  if (s != nullptr && is_checked(s))
    checked_free_sized(s, freed, bytes);
  else
    free_slow(freed);
}

void* heap_allocate(size_t bytes) noexcept {
  void* object = allocate_fast(bytes);
  if constexpr (race_enabled)
    if (object != nullptr) race_acquire(object);  // partner: free_fast()
  return object;
}

void heap_free(void* object) noexcept { free_fast(object); }

void heap_free_sized(void* object, size_t bytes) noexcept { free_sized_fast(object, bytes); }

void* heap_allocate_zeroed(size_t bytes) noexcept {
  if (bytes > small_bytes_max) return allocate_large(bytes, heap_page_bytes, true);
  void* object = heap_allocate(bytes);
  if (object != nullptr) std::memset(object, 0, bytes);
  return object;
}

void* heap_allocate_aligned(size_t bytes, size_t alignment) noexcept {
  if (alignment <= 16) return heap_allocate(bytes);
  if (this_cache == nullptr) (void)ready_cache();  // reads the settings, if nobody did
  if (checking()) return checked_allocate(bytes, alignment, false);
  if (alignment > heap_page_bytes) return allocate_large(bytes, alignment, false);
  if (bytes <= small_bytes_max) {
    const size_t mask = alignment - 1;
    const size_t wanted = bytes < alignment ? alignment : (bytes + mask) & ~mask;
    // A class that is a multiple of the alignment; the doublings themselves are.
    for (uint32_t at = class_of(wanted); at < size_class_count; ++at)
      if ((class_bytes(at) & mask) == 0) return heap_allocate(class_bytes(at));
  }
  return allocate_large(bytes, heap_page_bytes, false);
}

size_t heap_usable_bytes(const void* object) noexcept {
  if (object == nullptr) return 0;
  const auto address = reinterpret_cast<uintptr_t>(object);
  if (mspan* s = span_of(address); s != nullptr && is_checked(s))
    return checked_usable_bytes(s, object);
  return usable_bytes_of(span_of_object(address), object);
}

void* heap_reallocate(void* object, size_t bytes) noexcept {
  if (object == nullptr) return heap_allocate(bytes);
  const auto address = reinterpret_cast<uintptr_t>(object);
  if (mspan* s = span_of(address); s != nullptr && is_checked(s))
    return move_object(object, checked_usable_bytes(s, object), bytes);
  mspan* s = span_of_object(address);
  if (s->state == span_state::small) {
    const size_t had = usable_bytes_of(s, object);
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

}  // namespace weft::rt

namespace weft {

size_t set_memory_limit(size_t bytes) noexcept {
  const size_t before = rt::memory_limit();
  // The settings are read with the first allocation; later they would win.
  rt::heap_free(rt::heap_allocate(1));
  rt::set_memory_limit(bytes);
  return before;
}

void free_os_memory() noexcept { (void)rt::heap_trim(0); }

}  // namespace weft

namespace weft::rt {

bool heap_trim(size_t keep) noexcept {
  visit_idle_caches();
  return release_free_pages(keep) != 0;
}

// --- caches of Ps ---

void heap_attach_cache(mcache*& of_p) noexcept {
  mcache* cache = of_p;
  of_p = nullptr;
  if (cache == nullptr || !claim_cache(cache)) return;  // it keeps its own, or claims a spare one
  if (this_cache != nullptr) put_spare_cache(this_cache);
  this_cache = cache;
}

void heap_detach_cache(mcache*& of_p) noexcept {
  mcache* cache = this_cache;
  if (cache == nullptr) return;
  this_cache = nullptr;
  // Two: the P's was given back by a call that blocks, inside of which the goroutine parked.
  if (of_p != nullptr) heap_retire_cache(of_p);
  of_p = cache;
  unclaim_cache(cache);
}

void heap_drop_cache() noexcept {
  mcache* cache = this_cache;
  if (cache == nullptr) return;
  this_cache = nullptr;
  put_spare_cache(cache);
}

void heap_retire_cache(mcache*& of_p) noexcept {
  mcache* cache = of_p;
  of_p = nullptr;
  if (cache != nullptr && claim_cache(cache)) put_spare_cache(cache);
}

heap_summary heap_totals() noexcept {
  const page_heap_stats now = page_statistics();
  return {now.reserved_bytes, now.in_use_bytes, now.free_bytes, now.resident_free_bytes, now.spans};
}

}  // namespace weft::rt
