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
  // A select may lock many channels at once; beyond this the check would be blind, so it stops.
  static constexpr int held_max = 1024;
  struct held {
    const void* lock;
    lock_rank rank;
  };
  held held_[held_max];  // in order of acquisition: ranks never fall (the order is the invariant)
  int count_ = 0;
};

}  // namespace weft::rt
