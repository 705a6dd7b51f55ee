// SPDX-License-Identifier: Apache-2.0
// Checked objects: one cache of their own, used under a lock.
#include "weft/heap/internal/checked.hpp"

#include <cstring>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/heap_errors.hpp"
#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"
#include "weft/heap/internal/recorded_stack.hpp"

namespace weft::rt {

namespace {

/// Right before the object's front red zone. The slot's first two words are the heap's when it is
/// free, so it begins behind them.
struct header {
  uintptr_t state;  // live or freed, by the address and the secret
  size_t bytes;
  uintptr_t slot;
  recorded_stack* allocated_at;
  recorded_stack* freed_at;
  header* next;  // in quarantine
};
constexpr size_t slot_words_bytes = 16;
constexpr size_t front_bytes = sizeof(header) + red_zone_bytes;
static_assert(front_bytes % 16 == 0);

constexpr unsigned char red = 0xFB;    // around objects
constexpr unsigned char fresh = 0xCD;  // in new ones: what reads it uninitialized finds no zeros
constexpr unsigned char dead = 0xDD;   // in freed ones

// Red zones and freed contents are looked at this far: a large object's end is far away.
constexpr size_t looked_at_max = 4096;

futex_mutex lock{lock_rank::checked};
mcache* cache WEFT_GUARDED_BY(lock) = nullptr;
atomic<mcache*> owner_of_checked{nullptr};
atomic<bool> active{false};
header* oldest WEFT_GUARDED_BY(lock) = nullptr;
header* newest WEFT_GUARDED_BY(lock) = nullptr;
size_t quarantined WEFT_GUARDED_BY(lock) = 0;

uintptr_t live_state(const header* h) noexcept {
  return arena.secret ^ reinterpret_cast<uintptr_t>(h) ^ 0x6c697665;  // "live"
}
uintptr_t freed_state(const header* h) noexcept {
  return arena.secret ^ reinterpret_cast<uintptr_t>(h) ^ 0x66726565;  // "free"
}

header* header_of(const void* object) noexcept {
  return reinterpret_cast<header*>(reinterpret_cast<uintptr_t>(object) - front_bytes);
}
unsigned char* object_of(header* h) noexcept {
  return reinterpret_cast<unsigned char*>(h) + front_bytes;
}

size_t slot_bytes(const mspan* s) noexcept {
  return s->state == span_state::small ? s->object_bytes : size_t{s->pages} << heap_page_shift;
}

/// The first byte of [at, at + bytes) that is not `value`; null: all are.
const unsigned char* find_other(const unsigned char* at, size_t bytes,
                                unsigned char value) noexcept {
  for (size_t i = 0; i < bytes && i < looked_at_max; ++i)
    if (at[i] != value) return at + i;
  return nullptr;
}

size_t tail_bytes(const mspan* s, const header* h) noexcept {
  const uintptr_t end = h->slot + slot_bytes(s);
  return end - (reinterpret_cast<uintptr_t>(h) + front_bytes + h->bytes);
}

[[noreturn]] void die(checked_error what, header* h, const void* where) noexcept {
  die_of_checked(what, object_of(h), h->bytes, where, h->allocated_at,
                 h->state == freed_state(h) ? h->freed_at : nullptr);
}

void look_at_red_zones(const mspan* s, header* h) noexcept {
  if (const auto* bad = find_other(object_of(h) - red_zone_bytes, red_zone_bytes, red))
    die(checked_error::underrun, h, bad);
  if (const auto* bad = find_other(object_of(h) + h->bytes, tail_bytes(s, h), red))
    die(checked_error::overrun, h, bad);
}

void look_at_freed(const mspan* s, header* h) noexcept {
  look_at_red_zones(s, h);
  if (const auto* bad = find_other(object_of(h), h->bytes, dead))
    die(checked_error::written_after_free, h, bad);
}

void leave_quarantine() noexcept WEFT_REQUIRES(lock) {
  header* h = oldest;
  oldest = h->next;
  if (oldest == nullptr) newest = nullptr;
  mspan* s = span_of(h->slot);
  quarantined -= slot_bytes(s);
  look_at_freed(s, h);
  if (s->state == span_state::large) {
    s->state = span_state::unused;
    s->owner.store(nullptr, relaxed);
    give_pages(s);
    return;
  }
  auto* object = reinterpret_cast<free_object*>(h->slot);
  object->mark = mark_of(object);
  push_free(s, object);
  if (++s->freed == s->notify_at) span_changed(*cache, s);
}

bool have_cache() noexcept WEFT_REQUIRES(lock) {
  if (cache != nullptr) return true;
  cache = make_cache_apart();
  if (cache == nullptr) return false;
  owner_of_checked.store(cache, release);
  return true;
}

/// The contents of a freed object: nothing of what was in it is left to be read.
void bury(header* h) noexcept {
  unsigned char* object = object_of(h);
  std::memset(object, dead, h->bytes < looked_at_max ? h->bytes : looked_at_max);
  if (h->bytes <= looked_at_max) return;
  const uintptr_t from =
      (reinterpret_cast<uintptr_t>(object) + looked_at_max + os::page_bytes - 1) &
      ~(os::page_bytes - 1);
  const uintptr_t to = (reinterpret_cast<uintptr_t>(object) + h->bytes) & ~(os::page_bytes - 1);
  if (from < to) (void)os::discard(reinterpret_cast<void*>(from), to - from);
}

/// A slot of at least `bytes`; null: no memory.
uintptr_t take_slot(size_t bytes) noexcept WEFT_REQUIRES(lock) {
  if (bytes <= small_bytes_max) {
    bool due = false;
    return reinterpret_cast<uintptr_t>(refill(*cache, class_of(bytes), due));
  }
  mspan* s = take_pages((bytes + heap_page_bytes - 1) >> heap_page_shift, span_state::large);
  if (s == nullptr) return 0;
  s->owner.store(cache, relaxed);
  s->asked_bytes = bytes;
  return s->base;
}

/// The header of an object in use; ends the process if `object` is none.
header* live_header(const mspan* s, const void* object) noexcept {
  const auto address = reinterpret_cast<uintptr_t>(object);
  const uintptr_t offset = address - s->base;
  const size_t each = slot_bytes(s);
  header* h = header_of(object);
  if (offset % each < slot_words_bytes + front_bytes) die_of_bad_free(address);
  if (h->state == freed_state(h)) die(checked_error::double_free, h, object);
  if (h->state != live_state(h)) {
    // No header there: or one that was overrun from below.
    if (offset % each == slot_words_bytes + front_bytes &&
        h->slot + slot_words_bytes == reinterpret_cast<uintptr_t>(h))
      die(checked_error::underrun, h, h);
    die_of_bad_free(address);
  }
  return h;
}

}  // namespace

void start_checking() noexcept { active.store(true, relaxed); }
bool checking() noexcept { return active.load(relaxed); }

bool is_checked(const mspan* s) noexcept {
  const mcache* owner = s->owner.load(relaxed);
  return owner != nullptr && owner == owner_of_checked.load(relaxed);
}

void* checked_allocate(size_t bytes, size_t alignment, bool zeroed) noexcept {
  if (alignment < 16) alignment = 16;
  if (alignment > SIZE_MAX / 4) return nullptr;
  const size_t more = slot_words_bytes + front_bytes + red_zone_bytes + (alignment - 16);
  if (bytes > (SIZE_MAX >> 1) - more) return nullptr;
  recorded_stack* stack = record_stack_here();
  header* h = nullptr;
  size_t tail = 0;
  {
    kept_lock_scope hold(lock);
    if (!have_cache()) return nullptr;
    const uintptr_t slot = take_slot(bytes + more);
    if (slot == 0) return nullptr;
    const uintptr_t object =
        (slot + slot_words_bytes + front_bytes + alignment - 1) & ~(alignment - 1);
    h = header_of(reinterpret_cast<void*>(object));
    *h = {live_state(h), bytes, slot, stack, nullptr, nullptr};
    tail = tail_bytes(span_of(slot), h);
  }
  unsigned char* object = object_of(h);
  std::memset(object - red_zone_bytes, red, red_zone_bytes);
  std::memset(object + bytes, red, tail < looked_at_max ? tail : looked_at_max);
  std::memset(object, zeroed ? 0 : fresh, bytes);
  return object;
}

void checked_free(mspan* s, void* object) noexcept {
  header* h = live_header(s, object);
  look_at_red_zones(s, h);
  recorded_stack* stack = record_stack_here();
  kept_lock_scope hold(lock);
  if (h->state != live_state(h)) die(checked_error::double_free, h, object);
  h->state = freed_state(h);
  h->freed_at = stack;
  bury(h);
  h->next = nullptr;
  (newest != nullptr ? newest->next : oldest) = h;
  newest = h;
  quarantined += slot_bytes(s);
  while (quarantined > quarantine_bytes_max) leave_quarantine();
}

void checked_free_sized(mspan* s, void* object, size_t bytes) noexcept {
  header* h = live_header(s, object);
  if (h->bytes != bytes)
    die_of_checked(checked_error::wrong_size, object, h->bytes, reinterpret_cast<void*>(bytes),
                   h->allocated_at, nullptr);
  checked_free(s, object);
}

/// What is in quarantine when the process ends, too.
__attribute__((destructor)) static void look_at_quarantine() {
  if (!checking()) return;
  kept_lock_scope hold(lock);
  for (header* h = oldest; h != nullptr; h = h->next) look_at_freed(span_of(h->slot), h);
}

size_t checked_usable_bytes(mspan* s, const void* object) noexcept {
  return live_header(s, object)->bytes;
}

void checked_lock() noexcept WEFT_UNCHECKED { lock.lock(); }
void checked_unlock() noexcept WEFT_UNCHECKED { lock.unlock(); }

}  // namespace weft::rt
