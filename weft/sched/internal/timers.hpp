// SPDX-License-Identifier: Apache-2.0
// A P's timers: a 4-ary min-heap of nodes that know their place, so that disarming is exact and a
// node's memory can go the moment it returns. Anyone may run a P's due timers; one at a time.
#pragma once

#include <cstdint>

#include "weft/base/futex_mutex.hpp"
#include "weft/sched/internal/timer_node.hpp"

namespace weft::rt {

inline constexpr int64_t no_timer = INT64_MAX;

struct timer_heap {
  struct entry {
    int64_t when_ns;
    timer_node* node;
  };
  futex_mutex lock{lock_rank::timers};
  /// `entries[0..count)`: when(parent) <= when(child), entries[i].node->index == i. Under lock.
  entry* entries = nullptr;
  uint32_t count = 0;
  /// entries[0].when_ns or no_timer. Written under lock, read by anyone as a hint.
  atomic<int64_t> first_when{no_timer};
  /// The node whose `fire` runs now; node->heap is this one. Written by the runner, set under lock;
  /// read by disarm_wait() and arm().
  atomic<timer_node*> firing{nullptr};
  /// 1 while somebody runs due timers of this heap.
  atomic<uint32_t> running{0};
};

/// Limit of armed timers on one P; address space of 16 bytes each is reserved.
inline constexpr uint32_t timers_per_p_max = 16u << 20;

/// Prepares a heap (reserves its array). Once per P.
void timer_heap_init(timer_heap& heap) noexcept;
/// Runs what is due at `now`. Returns the time of the next timer or no_timer. Sets `ran`.
int64_t run_due_timers(timer_heap& heap, int64_t now, bool& ran) noexcept;
/// Moves every timer of `from` to `to` (a P that goes away). World stopped.
void move_timers(timer_heap& from, timer_heap& to) noexcept;

}  // namespace weft::rt
