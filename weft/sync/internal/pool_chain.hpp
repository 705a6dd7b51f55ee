// SPDX-License-Identifier: Apache-2.0
// What one place of a pool shares: items in the order in which they were put. Its owner pushes and
// pops at the head, where they are warm; thieves take at the tail. Lock-free for both.
//
// A chain of rings, each twice as long as the one before. A ring that is full stays as it is: the
// owner pushes to a new one, and the old one only drains.
//
//   first -> ring -> ring(tail: thieves are here) -> ring -> ring(newest: the owner is here)
//
// A ring is the deque of D. Chase and Y. Lev, "Dynamic circular work-stealing deque" (2005), with
// the orders of N. M. Lê et al., "Correct and efficient work-stealing for weak memory models"
// (2013). So a push is a store, and only a pop pays for a fence. Go's poolDequeue has both ends in
// one word and pays for a locked instruction at either.
//
// Invariants:
//  1. A ring with a newer one gets no more items. Otherwise a thief that found it empty could not
//     leave it behind.
//  2. Rings are freed while nobody else is in the pool (pool.cpp). Otherwise a thief would look
//     into one that is gone.
//  3. tail <= head + 1; only the CAS on tail hands out the last item and those of thieves.
//     Otherwise an item would be handed out twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/race.hpp"

namespace weft::rt {

/// Items are not null.
class pool_ring {
 public:
  /// Null when there is no memory. Not in a section.
  [[nodiscard]] static pool_ring* make(uint32_t size) noexcept {
    void* room = ::operator new(sizeof(pool_ring) + size * sizeof(atomic<void*>),
                                std::align_val_t{alignof(pool_ring)}, std::nothrow);
    if (room == nullptr) return nullptr;
    race_release(room);  // it may be freed by anyone
    return new (room) pool_ring(size);
  }
  static void destroy(pool_ring* ring) noexcept {
    if (ring != nullptr) race_acquire(ring);
    ::operator delete(ring, std::align_val_t{alignof(pool_ring)});
  }

  [[nodiscard]] uint32_t size() const noexcept { return mask_ + 1; }

  /// Owner only. False when full.
  [[nodiscard]] bool push(void* item) noexcept {
    const uint64_t head = head_.load(relaxed);
    // acquire: partner: the CAS of thieves, who have read the slot before it.
    if (head - tail_.load(acquire) > mask_) return false;
    slots()[head & mask_].store(item, relaxed);
    head_.store(head + 1, release);  // partner: steal()'s load of head; publishes item and slot
    return true;
  }

  /// Owner only. Null when empty.
  [[nodiscard]] void* pop() noexcept {
    const uint64_t head = head_.load(relaxed) - 1;
    if (tail_.load(relaxed) == head + 1) return nullptr;
    // release: a thief that reads it must see the item below it as push() published it.
    head_.store(head, release);
    fence(seq_cst);  // partner: the fence in steal(): one of the two sees the other's index
    uint64_t tail = tail_.load(relaxed);
    void* item = nullptr;
    if (tail <= head) {
      item = slots()[head & mask_].load(relaxed);
      if (tail < head) return item;
      // The last one: a thief may be about to take it.
      if (!tail_.compare_exchange(tail, tail + 1, seq_cst, relaxed)) item = nullptr;
    }
    head_.store(head + 1, release);
    return item;
  }

  /// Anyone. Null when empty.
  [[nodiscard]] void* steal() noexcept {
    uint64_t tail = tail_.load(acquire);
    for (;;) {         // ends: each failure means that somebody else took an item
      fence(seq_cst);  // partner: the fence in pop()
      const uint64_t head = head_.load(acquire);  // partner: the stores in push() and pop()
      if (static_cast<int64_t>(head - tail) <= 0) return nullptr;
      void* item = slots()[tail & mask_].load(relaxed);
      // The owner cannot have used the slot anew unless tail has moved, and then this fails.
      if (tail_.compare_exchange(tail, tail + 1, seq_cst, acquire)) return item;
    }
  }

  /// The ring that follows; written once, by the owner.
  atomic<pool_ring*> newer{nullptr};
  /// The ring before, while it may have items. Owner only.
  pool_ring* older = nullptr;

 private:
  explicit pool_ring(uint32_t size) noexcept : mask_(size - 1) {
    for (uint32_t i = 0; i < size; ++i) new (&slots()[i]) atomic<void*>(nullptr);
  }
  [[nodiscard]] atomic<void*>* slots() noexcept {
    return reinterpret_cast<atomic<void*>*>(this + 1);
  }

  uint32_t mask_;
  /// Next free slot; owner writes.
  atomic<uint64_t> head_{0};
  /// Next to be stolen, on a line that the owner does not write to.
  alignas(64) atomic<uint64_t> tail_{0};
};
static_assert(alignof(pool_ring) >= alignof(atomic<void*>));

class pool_chain {
 public:
  /// A P that puts a few at a time stays in the first; larger costs memory in each place.
  static constexpr uint32_t first_size = 16;
  /// 512 KiB a ring: beyond that they are not doubled, so that no allocation is huge.
  static constexpr uint32_t size_max = 1u << 16;

  /// Owner only. 0: done. Otherwise a ring of so many is needed: call again with `spare`, which is
  /// then taken and set to null.
  [[nodiscard]] uint32_t push(void* item, pool_ring*& spare) noexcept {
    pool_ring* ring = newest_;
    if (ring != nullptr && ring->push(item)) return 0;
    if (spare == nullptr) {
      if (ring == nullptr) return first_size;
      return ring->size() < size_max ? ring->size() * 2 : size_max;
    }
    pool_ring* fresh = std::exchange(spare, nullptr);
    fresh->older = ring;
    newest_ = fresh;
    (void)fresh->push(item);
    if (ring != nullptr) {
      ring->newer.store(fresh, release);  // partner: steal(): the ring is made
    } else {
      first_ = fresh;
      tail_.store(fresh, release);  // partner: as above
    }
    return 0;
  }

  /// Owner only. The item that was pushed last, or null.
  [[nodiscard]] void* pop() noexcept {
    for (pool_ring* ring = newest_; ring != nullptr; ring = ring->older)
      if (void* item = ring->pop(); item != nullptr) return item;
    if (newest_ != nullptr) newest_->older = nullptr;  // they stay empty
    return nullptr;
  }

  /// Anyone. The item that was pushed first, or null.
  [[nodiscard]] void* steal() noexcept {
    pool_ring* ring = tail_.load(acquire);  // partner: push()
    while (ring != nullptr) {
      // Looked at first: if there is a newer one already, an empty ring stays empty. relaxed: the
      // fence in the ring's steal() stands between this and any use of it; partner: push().
      pool_ring* newer = ring->newer.load(relaxed);
      if (void* item = ring->steal(); item != nullptr) return item;
      if (newer == nullptr) return nullptr;
      // A plain store, which may move the tail back when another thief was quicker: all that is
      // behind it is empty for ever, and leads on. Published by the same fence.
      tail_.store(newer, relaxed);
      ring = newer;
    }
    return nullptr;
  }

  /// Anyone, as a hint: nothing was pushed since the last detach().
  [[nodiscard]] bool unused() const noexcept { return tail_.load(relaxed) == nullptr; }
  /// While nobody else is in the pool: everything, to be given to clear(); empty afterwards.
  [[nodiscard]] pool_ring* detach() noexcept {
    newest_ = nullptr;
    tail_.store(nullptr, relaxed);
    return std::exchange(first_, nullptr);
  }
  /// While nobody else is in the pool: becomes what `other` was, which is empty afterwards.
  void take_over(pool_chain& other) noexcept {
    newest_ = std::exchange(other.newest_, nullptr);
    first_ = std::exchange(other.first_, nullptr);
    tail_.store(other.tail_.load(relaxed), relaxed);
    other.tail_.store(nullptr, relaxed);
  }

  /// Calls `drop` for each item of rings that were detached, and frees the rings.
  template <class F>
  static void clear(pool_ring* ring, F drop) noexcept {
    while (ring != nullptr) {
      while (void* item = ring->steal()) drop(item);
      pool_ring::destroy(std::exchange(ring, ring->newer.load(relaxed)));
    }
  }

 private:
  pool_ring* newest_ = nullptr;  // owner only
  pool_ring* first_ = nullptr;   // the oldest that was not freed; owner only
  /// Where thieves look; the owner writes the first, then thieves move it on.
  alignas(64) atomic<pool_ring*> tail_{nullptr};
};

}  // namespace weft::rt
