// SPDX-License-Identifier: Apache-2.0
// sudog: one wait of one goroutine on one object, and the queue of them. A sudog lies on the
// waiter's own stack; whoever takes it out of its queue owns it until ready().
//
// Invariants:
//  1. A sudog is in at most one queue, and that queue's lock protects next, prev and queue.
//     Otherwise a select could not take itself out of the queues that did not wake it.
//  2. After ready(sg->g) nobody touches *sg or the object it waited on: the waiter's frame, and
//     with it the object, may be gone. Otherwise a wait_group could not die right after wait().
//  3. A sudog of a select is handed out by dequeue() only to the one caller that claims the select.
//     Otherwise two channels would wake one goroutine.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/race.hpp"

namespace weft::rt {

struct goroutine;
struct hchan;
struct wait_queue;

struct sudog {
  goroutine* g = nullptr;
  /// Where the value comes from or goes to; on the waiter's stack. Written before it is queued.
  void* element = nullptr;
  /// Links and the queue it is in, or null. Under the queue's lock.
  sudog* next = nullptr;
  sudog* prev = nullptr;
  wait_queue* queue = nullptr;
  /// The channel; null for waits on other objects.
  hchan* c = nullptr;
  /// Shared by all sudogs of one select: 0, then 1 for ever once a waker has won. null: no select.
  atomic<uint32_t>* claimed = nullptr;
  /// Semaphore weight, or the case's index in a select. Written before it is queued.
  int64_t ticket = 0;
  /// Written by the waker before ready(): true: by a value, or the lock is handed over; false: the
  /// channel was closed.
  bool success = false;
  /// What the waiter did before it waits, for its waker; and what its waker did, for the waiter.
  [[no_unique_address]] race_waiter from_waiter;
  [[no_unique_address]] race_edge from_waker;
};

/// First in, first out; push_front for those who lost a race through no fault of their own.
struct wait_queue {
  // Written under the owner's lock; read without it as a hint (empty()), hence atomic.
  atomic<sudog*> first{nullptr};
  sudog* last = nullptr;

  [[nodiscard]] bool empty() const noexcept { return first.load(relaxed) == nullptr; }

  void push_back(sudog* sg) noexcept {
    sg->queue = this;
    sg->next = nullptr;
    sg->prev = last;
    if (last == nullptr)
      first.store(sg, relaxed);
    else
      last->next = sg;
    last = sg;
  }
  void push_front(sudog* sg) noexcept {
    sudog* head = first.load(relaxed);
    sg->queue = this;
    sg->prev = nullptr;
    sg->next = head;
    if (head == nullptr)
      last = sg;
    else
      head->prev = sg;
    first.store(sg, relaxed);
  }
  void remove(sudog* sg) noexcept {
    if (sg->prev == nullptr)
      first.store(sg->next, relaxed);
    else
      sg->prev->next = sg->next;
    if (sg->next == nullptr)
      last = sg->prev;
    else
      sg->next->prev = sg->prev;
    sg->next = sg->prev = nullptr;
    sg->queue = nullptr;
  }
  /// The first waiter, taken out; waiters of selects that somebody else has won are dropped.
  [[nodiscard]] sudog* dequeue() noexcept {
    for (;;) {  // ends: each round removes one
      sudog* sg = first.load(relaxed);
      if (sg == nullptr) return nullptr;
      remove(sg);
      if (sg->claimed == nullptr) return sg;
      // relaxed: only who is first matters. What the winner writes reaches the waiter by ready().
      uint32_t unclaimed = 0;
      if (sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)) return sg;
    }
  }
};

}  // namespace weft::rt
