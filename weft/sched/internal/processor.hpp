// SPDX-License-Identifier: Apache-2.0
// P: what a thread needs to run goroutines. As many as maxprocs(); memory is never freed.
#pragma once

#include <cstdint>

#include "weft/sched/internal/machine.hpp"
#include "weft/sched/internal/run_queue.hpp"
#include "weft/sched/internal/timers.hpp"

namespace weft::rt {

struct mcache;

/// Go's numbers.
enum class p_status : uint32_t { idle = 0, running = 1, stopped = 3, dead = 4 };

/// Eight times Go's: a thousand goroutines that take turns stay off the global queue and its lock
/// (yield of 1000 on 2 P: 113 ns at 256, under 40 here). Larger costs memory, 8 bytes a place; a
/// thief takes half whatever the length, so nothing is stranded behind a hog.
inline constexpr uint32_t run_queue_len = 2048;
/// What goes to the global queue at once when the ring is full: as Go.
inline constexpr uint32_t spill_len = 128;
/// The global queue is looked at every 61st time (Go): prime, so it is in step with nothing.
inline constexpr uint32_t global_check_period = 61;
/// Warm stacks a P keeps for itself; half go to the pool above that.
inline constexpr uint32_t free_stacks_max = 64;
/// Bare cells a P keeps; half go to the pool above that. Larger than the bursts that servers spawn;
/// they cost 64 bytes each.
inline constexpr uint32_t bare_list_max = 512;

struct alignas(64) processor {
  run_queue<goroutine, run_queue_len> queue;
  /// Scheduling decisions. Holder writes, sysmon reads: unmoved means one goroutine hogs it.
  alignas(64) atomic<uint32_t> tick{0};
  atomic<p_status> status{p_status::dead};
  /// Who holds it: a hint for retake(), checked there by the CAS on machine::grant.
  atomic<machine*> m{nullptr};
  uint32_t id = 0;
  /// It is the only P: nobody steals from its queue. Written while the world stands still; the
  /// holder reads it in its sections, which the stop waits for.
  bool alone = false;
  /// Counts for num_goroutine(). Holder writes, anyone sums.
  atomic<uint64_t> created{0};
  atomic<uint64_t> finished{0};
  /// Ids handed out in blocks. Holder only.
  uint64_t id_next = 0;
  uint64_t id_end = 0;
  /// Warm stacks, hottest first. Holder only.
  goroutine_top* free_stacks = nullptr;
  uint32_t free_stack_count = 0;
  /// Cells of goroutines that have ended. Holder only.
  goroutine* bare_list = nullptr;
  uint32_t bare_count = 0;
  /// What its next holder allocates from; null while it is held, and until one allocates. Whoever
  /// takes the P or gives it up.
  mcache* cache = nullptr;
  processor* link = nullptr;  // idle list, under sched.lock
  timer_heap timers;
  /// Its place in the execution trace; a trace_entry. Holder, or who has robbed it.
  atomic<uint64_t> trace{0};
  // --- sysmon only, under retake_lock ---
  uint32_t seen_tick = 0;
  int64_t seen_when = 0;
  machine* posted = nullptr;  // a request is in this machine's grant
  uint32_t blocked_looks = 0;
};

}  // namespace weft::rt
