// SPDX-License-Identifier: Apache-2.0
// The locks one thread holds, and the rule for taking another one. Always compiled and tested; only
// debug builds call it on every acquire (futex_mutex.hpp).
#pragma once

#include <cstdint>

#include "weft/base/lock_rank.hpp"

namespace weft::rt {

/// The name as written in the table of lock_rank.hpp.
[[nodiscard]] const char* lock_rank_name(lock_rank rank) noexcept;

class held_locks {
 public:
  /// The rule: null if `lock` may be taken now, else what is wrong, as a format for bug(): first
  /// %d the rank wanted, second the rank taken last.
  [[nodiscard]] const char* refuse(lock_rank rank, const void* lock) const noexcept;
  /// Adds `lock`, or ends the process with bug().
  void acquire(lock_rank rank, const void* lock) noexcept;
  /// Removes `lock`; any order. Ends the process with bug() if it is not held.
  void release(lock_rank rank, const void* lock) noexcept;
  [[nodiscard]] int count() const noexcept { return count_; }

 private:
  // More than any path of the runtime holds, but for a select over many channels: from the 65th on
  // those are counted and not checked. A larger table would only grow every thread's memory.
  static constexpr int held_max = 64;
  struct held {
    const void* lock;
    lock_rank rank;
  };
  held held_[held_max];  // in order of acquisition; ranks never fall
  int unchecked_ = 0;    // held beyond the table
  int count_ = 0;
};

}  // namespace weft::rt
