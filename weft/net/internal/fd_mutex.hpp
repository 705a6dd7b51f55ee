// SPDX-License-Identifier: Apache-2.0
// What lets close() run beside read() and write(): a descriptor number is given back to the system
// only when the last operation on it has ended. Otherwise that operation would touch a stranger's
// file. One word, as Go's fdMutex (internal/poll/fd_mutex.go).
//
//   bit 0        closed: new operations fail
//   bit 1, 2     a reader, a writer is inside
//   bits 3..22   operations in progress
//   bits 23..42  readers that wait for their turn
//   bits 43..62  writers that do
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/futex_mutex.hpp"

namespace weft::rt {

struct goroutine;

enum class fd_side : uint8_t { read, write };

class fd_mutex {
 public:
  /// One more operation of any kind. False: closed.
  [[nodiscard]] bool incref() noexcept;
  /// True: the caller must destroy the descriptor.
  [[nodiscard]] bool decref() noexcept;
  /// Marks it closed and wakes all who wait for their turn; holds one reference. False: closed
  /// before.
  [[nodiscard]] bool incref_and_close() noexcept;
  /// Waits for its turn (may park), and counts as an operation. False: closed.
  [[nodiscard]] bool lock(fd_side side) noexcept;
  /// True: the caller must destroy the descriptor.
  [[nodiscard]] bool unlock(fd_side side) noexcept;

 private:
  struct waiter {
    goroutine* gp;
    waiter* next;
  };
  void sleep(fd_side side) noexcept;
  void wake(fd_side side, uint64_t count) noexcept;
  [[nodiscard]] bool is_last(uint64_t state) const noexcept;
  static bool commit_sleep(goroutine* gp, void* self) noexcept;

  atomic<uint64_t> state_{0};
  futex_mutex queue_lock_{lock_rank::sync};
  /// Wake-ups of each side that came before their sleepers: at most as many as there are waiters.
  uint32_t tokens_[2] WEFT_GUARDED_BY(queue_lock_) = {};
  /// Waiters of each side: a ring, of which the last one is known.
  waiter* last_[2] WEFT_GUARDED_BY(queue_lock_) = {};
};

}  // namespace weft::rt
