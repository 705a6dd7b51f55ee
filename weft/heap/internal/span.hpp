// SPDX-License-Identifier: Apache-2.0
// A span: a run of pages that holds objects of one class, or one large object, or nothing.
//
// Spans lie in an array of their own, apart from the memory they describe, so a heap overflow does
// not reach them. Who may write what:
//
// * free, used, carved_bytes, notify_at: the owner's thread; when unowned, the holder of the
//   central lock of its class.
// * owner: the owner's thread, to give the span up; that lock's holder, to hand it out. Read by
//   anyone who frees an object.
// * state, base, pages, links: the holder of the page heap's lock, while no object is in the span.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt {

struct mcache;

enum class span_state : uint8_t { unused, free, small, large };

/// What a free object holds: both words are unreadable without the heap's secret.
struct free_object {
  uintptr_t next;  // see encoding.hpp
  uintptr_t mark;  // says that it is free: double frees are told by it
};

struct alignas(64) mspan {
  /// Null: unowned, so central's, or large. A free by anyone else than the owner is a remote one.
  atomic<mcache*> owner;
  uintptr_t base;
  free_object* free;  // objects ready to be handed out
  uint32_t object_bytes;
  uint32_t reciprocal;  // ceil(2^32 / object_bytes): index = offset * reciprocal >> 32
  uint32_t used;        // handed out and not yet back (remote frees come back when drained)
  uint32_t notify_at;   // free() takes the slow path when `used` falls to this
  /// Of objects that were made free at least once; the rest is untouched. Grows only; relaxed:
  /// whoever frees an object was given it after it was carved.
  atomic<uint32_t> carved_bytes;
  uint32_t capacity;
  uint32_t pages;
  uint8_t size_class;
  span_state state;
  bool listed;  // on the owner's or central's list of spans with free objects
  /// large: pages never written since they came from the kernel; a calloc needs no memset.
  bool zero;
  // Second line: only slow paths.
  mspan* next;
  mspan* prev;
  uint64_t dirty_pages;  // free: resident ones, as far as known
  size_t asked_bytes;    // large: what was asked for, for reports
};
static_assert(sizeof(mspan) == 128);

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
