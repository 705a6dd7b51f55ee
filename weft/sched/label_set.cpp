// SPDX-License-Identifier: Apache-2.0
// Labels of goroutines: who has them, and when a set is freed.
#include "weft/sched/internal/label_set.hpp"

#include <cstring>
#include <new>

#include "weft/base/futex_mutex.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

futex_mutex retired_lock{lock_rank::leaf};
uint32_t readers WEFT_GUARDED_BY(retired_lock) = 0;
label_set* retired WEFT_GUARDED_BY(retired_lock) = nullptr;

void free_set(label_set* set) noexcept { object_delete(set, alignof(label_set)); }

}  // namespace

label_set* make_label_set(const label_set::pair* pairs, size_t count) {
  size_t bytes = sizeof(label_set) + count * sizeof(label_set::pair);
  for (size_t i = 0; i < count; ++i) bytes += pairs[i].key.size() + pairs[i].value.size();
  auto* set = new (object_new(bytes, alignof(label_set))) label_set;
  set->count = static_cast<uint32_t>(count);
  auto* own = reinterpret_cast<label_set::pair*>(set + 1);
  auto* text = reinterpret_cast<char*>(own + count);
  const auto keep = [&text](std::string_view s) {
    std::memcpy(text, s.data(), s.size());
    const std::string_view kept(text, s.size());
    text += s.size();
    return kept;
  };
  for (size_t i = 0; i < count; ++i)
    new (own + i) label_set::pair{keep(pairs[i].key), keep(pairs[i].value)};
  return set;
}

void retain_labels(label_set* set) noexcept {
  if (set != nullptr) set->references.fetch_add(1, relaxed);
}

void release_labels(label_set* set) noexcept {
  // acq_rel: who frees it comes after all that used it.
  if (set == nullptr || set->references.fetch_sub(1, acq_rel) != 1) return;
  {
    kept_lock_scope hold(retired_lock);
    if (readers != 0) {
      set->next_retired = retired;
      retired = set;
      return;
    }
  }
  free_set(set);
}

void begin_reading_labels() noexcept {
  kept_lock_scope hold(retired_lock);
  ++readers;
}

void end_reading_labels() noexcept {
  label_set* free_now = nullptr;
  {
    kept_lock_scope hold(retired_lock);
    if (--readers == 0) {
      free_now = retired;
      retired = nullptr;
    }
  }
  while (free_now != nullptr) {
    label_set* next = free_now->next_retired;
    free_set(free_now);
    free_now = next;
  }
}

label_set* exchange_labels(label_set* set) noexcept {
  const section entered(leaf);
  goroutine* gp = current();
  if (gp == nullptr || gp->top == nullptr) return set;
  label_set* before = labels_of(gp);
  // The handler reads flag and pointer on this thread: the pointer is there first, and goes last.
  gp->flags &= static_cast<uint8_t>(~flag_labels);
  compiler_fence();
  gp->top->labels = set;
  compiler_fence();
  if (set != nullptr) gp->flags |= flag_labels;
  return before;
}

void inherit_labels(goroutine* gp, const goroutine* creator) noexcept {
  label_set* set = labels_of(creator);
  if (set == nullptr) return;
  retain_labels(set);
  gp->top->labels = set;
  gp->flags |= flag_labels;
}

void drop_labels(goroutine* gp) noexcept {
  label_set* set = labels_of(gp);
  gp->flags &= static_cast<uint8_t>(~flag_labels);
  compiler_fence();
  gp->top->labels = nullptr;
  release_labels(set);
}

}  // namespace weft::rt
