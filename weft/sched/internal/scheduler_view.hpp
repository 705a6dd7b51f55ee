// SPDX-License-Identifier: Apache-2.0
// The scheduler's state as data, for operators' pages and metrics.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/base/export.hpp"

namespace weft::rt {

struct processor_view {
  uint32_t id = 0;
  const char* status = "";   // idle, running, stopped, dead
  int64_t machine = -1;      // who holds it
  uint32_t queue_len = 0;    // goroutines that wait for it, without the next one
  uint32_t tick = 0;         // scheduling decisions, wraps
  uint32_t timers = 0;       // armed
  uint32_t warm_stacks = 0;  // kept for goroutines to come
};

struct machine_view {
  uint32_t id = 0;
  int32_t tid = 0;
  int64_t processor = -1;
  uint64_t goroutine = 0;  // 0: none
  bool spinning = false;   // looks for work
  bool announced = false;  // inside weft::blocking
  bool robbed = false;     // its P was taken and its goroutine still runs
  bool guest = false;      // a thread of the program's own
};

/// Goroutines by what they do, the runtime's own included. Approximate: they go on meanwhile.
struct goroutine_counts {
  uint64_t runnable = 0, running = 0, waiting = 0;
};

/// Read without stopping anything: figures may not add up.
struct scheduler_view {
  int64_t uptime_ns = 0;  // since the runtime started
  uint32_t procs = 0;
  uint32_t idle_procs = 0;
  int32_t threads = 0;  // with the monitor
  int32_t idle_threads = 0;
  uint32_t spinning_threads = 0;
  bool need_spinning = false;
  uint32_t run_queue_len = 0;  // the global queue
  uint64_t goroutines = 0;     // alive, the runtime's own not counted
  uint64_t created = 0;        // since the start, the runtime's own not counted
  uint64_t retakes = 0;        // Ps taken from threads that blocked or computed
  uint64_t reclaims = 0;       // requests for a P that its thread took back in time
  uint32_t network_waiters = 0;
  uint32_t guests = 0;
  goroutine_counts states;
  std::vector<processor_view> processors;
  std::vector<machine_view> machines;  // newest first; those that have ended are left out
};

/// Counting states reads every cell: 64 bytes for each goroutine that ever was at once.
[[nodiscard]] WEFT_API scheduler_view view_scheduler();

}  // namespace weft::rt
