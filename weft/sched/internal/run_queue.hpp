// SPDX-License-Identifier: Apache-2.0
// A P's run queue: a ring that its owner pushes to and pops from, and that thieves take halves of,
// plus one slot that is run next. Structure of Go's runqput, runqget and runqgrab
// (runtime/proc.go).
//
//   head: next to take; advanced by CAS by owner and thieves.   tail: next free; owner only.
//   Invariant 1: tail - head <= Size. Otherwise the owner overwrote a slot that was not taken.
//   Invariant 2: a slot in [head, tail) holds a runnable goroutine nobody else has. Otherwise it
//   would run twice: only the CAS on head hands out slots, and a thief that copied slots the owner
//   has reused since fails that CAS.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt {

template <class Item, uint32_t Size>
class run_queue {
  static_assert((Size & (Size - 1)) == 0);

 public:
  static constexpr uint32_t size = Size;

  /// Owner only. False when full.
  [[nodiscard]] bool push(Item* item) noexcept {
    const uint32_t head = head_.load(acquire);  // partner: the CAS of takers; slots before are free
    const uint32_t tail = tail_.load(relaxed);
    if (tail - head >= Size) return false;
    slots_[tail % Size].store(item, relaxed);
    tail_.store(tail + 1, release);  // partner: steal_half()'s load of tail; publishes the slot
    return true;
  }

  /// Owner only. Null when empty. `alone`: there is no other P that could steal (see
  /// processor::alone), so a plain store does what the CAS is for.
  [[nodiscard]] Item* pop(bool alone = false) noexcept {
    uint32_t head = head_.load(acquire);
    if (alone) {
      if (tail_.load(relaxed) == head) return nullptr;
      Item* item = slots_[head % Size].load(relaxed);
      head_.store(head + 1, release);
      return item;
    }
    for (;;) {
      const uint32_t tail = tail_.load(relaxed);
      if (tail == head) return nullptr;
      Item* item = slots_[head % Size].load(relaxed);
      // Ends: each failure means that a thief took something; at most Size of those without a push.
      if (head_.compare_exchange(head, head + 1, acq_rel, acquire)) return item;
    }
  }

  /// Owner only: the item that pop() returns after `ahead` others, or null. A hint: it may be
  /// stolen.
  [[nodiscard]] Item* peek(uint32_t ahead) const noexcept {
    const uint32_t at = head_.load(relaxed) + ahead;
    const uint32_t left = tail_.load(relaxed) - at;
    return left == 0 || left > Size ? nullptr : slots_[at % Size].load(relaxed);
  }

  /// Owner of this queue, which is empty, as a thief: moves half of the victim's queue (rounded up)
  /// straight into this ring. Returns the newest of them, to run at once; null: there was nothing.
  [[nodiscard]] Item* steal_half(run_queue& victim) noexcept {
    const uint32_t mine = tail_.load(relaxed);
    for (;;) {  // ends: each failure means that somebody else took something
      uint32_t head = victim.head_.load(acquire);
      const uint32_t tail = victim.tail_.load(acquire);  // partner: push()
      const uint32_t available = tail - head;
      const uint32_t count = available - available / 2;
      if (count == 0) return nullptr;
      if (count > Size / 2) continue;  // head and tail were not read together: read again
      // Behind the tail: nobody reads there until it moves.
      for (uint32_t i = 0; i < count; ++i)
        slots_[(mine + i) % Size].store(victim.slots_[(head + i) % Size].load(relaxed), relaxed);
      if (!victim.head_.compare_exchange(head, head + count, acq_rel, relaxed)) continue;
      Item* newest = slots_[(mine + count - 1) % Size].load(relaxed);
      // release: as in push().
      if (count > 1) tail_.store(mine + count - 1, release);
      return newest;
    }
  }

  /// Owner only, when push() failed: takes the `count` oldest out. 0 if thieves made room
  /// meanwhile.
  [[nodiscard]] uint32_t spill(Item** out, uint32_t count) noexcept {
    uint32_t head = head_.load(acquire);
    const uint32_t tail = tail_.load(relaxed);
    if (tail - head != Size) return 0;
    for (uint32_t i = 0; i < count; ++i) out[i] = slots_[(head + i) % Size].load(relaxed);
    if (!head_.compare_exchange(head, head + count, acq_rel, relaxed)) return 0;
    return count;
  }

  /// Puts `item` in the next slot; returns what was there. seq_cst: the publication that
  /// wake_p_published() relies on; partner: the loads in empty() of a thread about to sleep.
  /// Alone, nobody sleeps who could have run it: the publication orders nothing then.
  [[nodiscard]] Item* exchange_next(Item* item, bool alone = false) noexcept {
    if (!alone) return next_.exchange(item, seq_cst);
    Item* before = next_.load(relaxed);
    next_.store(item, release);
    return before;
  }
  /// Owner: takes the next slot's item, or null. A thief may win.
  [[nodiscard]] Item* take_next(bool alone = false) noexcept {
    Item* item = next_.load(relaxed);
    if (item == nullptr) return nullptr;
    if (alone) {
      next_.store(nullptr, relaxed);
      return item;
    }
    return next_.exchange(nullptr, acq_rel);
  }
  /// Thief: takes it if it is still `seen`.
  [[nodiscard]] bool steal_next(Item* seen) noexcept {
    return next_.compare_exchange(seen, nullptr, acq_rel, relaxed);
  }
  [[nodiscard]] Item* peek_next() const noexcept { return next_.load(acquire); }

  /// Without the next slot; exact for the owner, a hint for others.
  [[nodiscard]] uint32_t length() const noexcept {
    const uint32_t head = head_.load(acquire);
    const uint32_t n = tail_.load(acquire) - head;
    return n > Size ? Size : n;
  }
  /// No false "empty" while an item moves from the next slot to the ring: tail is read twice.
  [[nodiscard]] bool empty() const noexcept {
    for (;;) {
      const uint32_t head = head_.load(seq_cst);
      const uint32_t tail = tail_.load(seq_cst);
      const Item* next = next_.load(seq_cst);
      if (tail == tail_.load(seq_cst)) return head == tail && next == nullptr;
    }
  }

 private:
  atomic<uint32_t> head_{0};
  atomic<uint32_t> tail_{0};
  atomic<Item*> next_{nullptr};
  atomic<Item*> slots_[Size];
};

}  // namespace weft::rt
