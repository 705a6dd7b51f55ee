// SPDX-License-Identifier: Apache-2.0
// Sums of delays by stack: block, mutex and sched profiles.
//
// Recorded in the middle of the scheduler, so nothing is allocated and no lock is taken: stacks are
// the heap's recorded ones (each kept once, for ever), and their sums stand in a hash table of
// fixed size, whose places are claimed by a CAS. A full table counts what it loses.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/observe/internal/profile.hpp"

namespace weft::rt {

class delay_table {
 public:
  /// `count` and `ns` are estimates: one record may stand for many.
  void add(recorded_stack* stack, double count, double ns) noexcept;
  void put_into(profile& p) const;
  [[nodiscard]] double total_ns() const noexcept;

 private:
  static constexpr size_t places = 8192;  // call sites that wait; a few hundred in a large service
  struct place {
    atomic<recorded_stack*> stack{nullptr};
    atomic<double> count{0};
    atomic<double> ns{0};
  };
  place table_[places];
  atomic<double> lost_count_{0}, lost_ns_{0};
};

[[nodiscard]] profile block_profile();
[[nodiscard]] profile mutex_profile();
[[nodiscard]] profile sched_profile();

}  // namespace weft::rt
