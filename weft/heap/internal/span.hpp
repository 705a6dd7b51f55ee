// SPDX-License-Identifier: Apache-2.0
// A span: a run of pages that holds objects of one class, or one large object, or nothing.
//
// Spans lie in an array of their own, apart from the memory they describe, so a heap overflow does
// not reach them. Who may write what:
//
// * the second line, carved_bytes: the owner's thread; when unowned, the holder of the central lock
//   of its class. Statistics read them meanwhile, and may be off by what happens then.
// * owner: the owner's thread, to give the span up; that lock's holder, to hand it out. Read by
//   anyone who frees an object.
// * state, base, pages, links: the holder of the page heap's lock, while no object is in the span.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt {

struct mcache;

/// releasing: a free run whose pages are being given back, on no list: neighbours do not merge with
/// it.
enum class span_state : uint8_t { unused, free, releasing, small, large };

/// What a free object holds: both words are unreadable without the heap's secret.
struct free_object {
  uintptr_t next;  // see encoding.hpp
  uintptr_t mark;  // says that it is free: double frees are told by it
};

/// Two cache lines. Whoever frees an object reads the first one; the owner writes the second one
/// each time it allocates or frees. In one line each free by others would wait for it.
struct alignas(64) mspan {
  /// Null: unowned, so central's, or large. A free by anyone else than the owner is a remote one.
  atomic<mcache*> owner;
  uintptr_t base;
  uint32_t object_bytes;
  uint32_t reciprocal;  // ceil(2^32 / object_bytes): index = offset * reciprocal >> 32
  /// Of objects that were made free at least once; the rest is untouched. Grows only, until the
  /// pages are given back; 0 if the span is not small. relaxed: whoever frees an object was given
  /// it after it was carved.
  atomic<uint32_t> carved_bytes;
  uint32_t capacity;
  uint32_t pages;
  uint8_t size_class;
  span_state state;
  /// large: pages never written since they came from the kernel; a calloc needs no memset.
  bool zero;
  void* sample;        // large: its record in the heap profile, or null
  size_t asked_bytes;  // large: what was asked for, for reports

  alignas(64) free_object* free;  // objects ready to be handed out
  /// Objects that malloc may still hand out before it looks whether one is to be sampled; below 0
  /// it takes the slow path. Only counts while the span is current.
  int32_t left;
  uint32_t freed;      // objects that came back (remote frees: when they are drained)
  uint32_t notify_at;  // free() takes the slow path when `freed` gets here
  uint32_t taken;      // objects handed out before `left` was set to `budget`
  int32_t budget;
  bool listed;  // on the owner's or central's list of spans with free objects
  bool full;    // on the owner's list of spans without
  mspan* next;
  mspan* prev;
  uint64_t dirty_pages;  // free: resident ones, as far as known
};
static_assert(sizeof(mspan) == 128);

/// Objects handed out. Modulo 2^32, as `freed`: only their difference counts.
[[nodiscard]] inline uint32_t taken_of(const mspan* s) noexcept {
  return s->taken + static_cast<uint32_t>(s->budget - s->left);
}
/// Objects in use.
[[nodiscard]] inline uint32_t used_of(const mspan* s) noexcept { return taken_of(s) - s->freed; }
/// How many more objects may be handed out until the next look.
inline void set_left(mspan* s, int32_t left) noexcept {
  s->taken = taken_of(s);
  s->budget = s->left = left;
}
/// free() tells when so many objects are in use. Only for spans that nothing is taken from.
inline void notify_when_used(mspan* s, uint32_t used) noexcept {
  s->notify_at = taken_of(s) - used;
}

/// Intrusive list, newest first.
struct span_list {
  mspan* head = nullptr;
  uint32_t count = 0;

  void push(mspan* s) noexcept {
    s->prev = nullptr;
    s->next = head;
    if (head != nullptr) head->prev = s;
    head = s;
    ++count;
  }
  void remove(mspan* s) noexcept {
    (s->prev != nullptr ? s->prev->next : head) = s->next;
    if (s->next != nullptr) s->next->prev = s->prev;
    s->next = s->prev = nullptr;
    --count;
  }
  mspan* pop() noexcept {
    mspan* s = head;
    if (s != nullptr) remove(s);
    return s;
  }
};

}  // namespace weft::rt
