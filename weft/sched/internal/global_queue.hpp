// SPDX-License-Identifier: Apache-2.0
// The queue of goroutines that no P has: first in, first out, without a limit, under the
// scheduler's lock.
//
// An array and not a list: a batch that moves from here to a P's ring is then copied as pointers,
// while a list leads from one cold cell to the next (skynet spent a sixth of its time there). It is
// a ring that doubles when it is full and never shrinks, so it costs 8 bytes for each goroutine
// that was ever queued at once. Room for all there can be is reserved at the start, for making a
// goroutine runnable must not fail.
#pragma once

#include <cstdint>

#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

class global_queue {
 public:
  /// Reserves its room. Once, before the first push.
  void initialize() noexcept;
  [[nodiscard]] uint32_t count() const noexcept { return tail_ - head_; }
  void push_back(goroutine* gp) noexcept {
    if (count() == capacity_) [[unlikely]]
      grow();
    items_[tail_++ & (capacity_ - 1)] = gp;
  }
  void push_front(goroutine* gp) noexcept {
    if (count() == capacity_) [[unlikely]]
      grow();
    items_[--head_ & (capacity_ - 1)] = gp;
  }
  /// Null when empty.
  goroutine* pop_front() noexcept {
    return head_ == tail_ ? nullptr : items_[head_++ & (capacity_ - 1)];
  }

 private:
  void grow() noexcept;

  goroutine** items_ = nullptr;
  uint32_t capacity_ = 512;  // a power of two; first one page
  uint32_t head_ = 0;        // both count up, and wrap
  uint32_t tail_ = 0;
};

}  // namespace weft::rt
