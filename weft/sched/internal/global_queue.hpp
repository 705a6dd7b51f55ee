// SPDX-License-Identifier: Apache-2.0
// The queue of goroutines that no P has: first in, first out, without a limit, under the
// scheduler's lock.
//
// An array and not a list: a batch that moves from here to a P's ring is then copied as pointers,
// while a list leads from one cold cell to the next (skynet spent a sixth of its time there). It
// doubles when it is full and never shrinks: 8 bytes for each goroutine that was ever queued at
// once.
#pragma once

#include <cstdint>

#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

class global_queue {
 public:
  [[nodiscard]] uint32_t count() const noexcept { return tail_ - head_; }
  void push_back(goroutine* gp) noexcept {
    if (count() == capacity_) [[unlikely]]
      grow();
    items_[tail_++ & (capacity_ - 1)] = gp;
  }
  /// Null when empty.
  goroutine* pop_front() noexcept {
    return head_ == tail_ ? nullptr : items_[head_++ & (capacity_ - 1)];
  }

 private:
  void grow() noexcept;  // proc.cpp

  goroutine** items_ = nullptr;
  uint32_t capacity_ = 0;  // a power of two, or 0 before the first push
  uint32_t head_ = 0;      // both count up, and wrap
  uint32_t tail_ = 0;
};

}  // namespace weft::rt
