// SPDX-License-Identifier: Apache-2.0
// Unowned spans: one lock and one list a class. Rarely used: when threads end, and when objects of
// ended threads are freed.
#include "weft/heap/internal/central.hpp"

#include "weft/base/futex_mutex.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/size_classes.hpp"

namespace weft::rt {

namespace {

struct alignas(64) mcentral {
  futex_mutex lock{lock_rank::central};
  span_list partial;  // unowned, with free or untouched objects
};
mcentral centrals[size_class_count];

bool has_room(const mspan* s) noexcept {
  return s->free != nullptr || s->carved_bytes.load(relaxed) < s->capacity * s->object_bytes;
}

void list(mcentral& central, mspan* s) noexcept {
  s->listed = true;
  central.partial.push(s);
}

}  // namespace

mspan* central_take(uint32_t size_class, mcache* owner) noexcept {
  mcentral& central = centrals[size_class];
  kept_lock_scope hold(central.lock);
  mspan* s = central.partial.pop();
  if (s != nullptr) s->listed = false;
  // release: what the last one under the lock did to the list of free objects; partner: nobody but
  // this thread reads the list from now on, others only compare the owner.
  if (s != nullptr) s->owner.store(owner, release);
  return s;
}

void central_give(mspan* s) noexcept {
  mcentral& central = centrals[s->size_class];
  {
    kept_lock_scope hold(central.lock);
    s->listed = s->full = false;
    if (used_of(s) != 0) {
      if (has_room(s)) list(central, s);
      // release: the list is ours no longer; partner: the acquire in central_free().
      s->owner.store(nullptr, release);
      return;
    }
  }
  give_pages(s);
}

bool central_free(mspan* s, free_object* object) noexcept {
  mcentral& central = centrals[s->size_class];
  {
    kept_lock_scope hold(central.lock);
    if (s->owner.load(acquire) != nullptr) return false;
    push_free(s, object);
    ++s->freed;
    if (used_of(s) != 0) {
      if (!s->listed) list(central, s);
      return true;
    }
    if (s->listed) central.partial.remove(s);
  }
  give_pages(s);
  return true;
}

void central_lock_all() noexcept WEFT_UNCHECKED {
  for (mcentral& central : centrals) central.lock.lock();
}
void central_unlock_all() noexcept WEFT_UNCHECKED {
  for (mcentral& central : centrals) central.lock.unlock();
}

}  // namespace weft::rt
