// SPDX-License-Identifier: Apache-2.0
// The order in which runtime locks may be taken: only upwards. Debug builds check every acquire.
#pragma once

#include <cstdint>

namespace weft::rt {

/// A thread may take a lock only if its rank is greater than that of every lock it holds. Several
/// locks of one `ordered` rank may be held together when taken in address order (select).
enum class lock_rank : uint8_t {
  sim,         // deterministic mode's own state
  retake,      // one retaker at a time: sysmon, stop-the-world
  context,     // a context's children; parent before child
  sync,        // mutex, rw_mutex, wait_group, cond, semaphore, once: their waiter lists
  channel,     // ordered: hchan, taken by select in address order
  poll,        // one poll descriptor's deadlines
  sched,       // the scheduler's lists
  timers,      // one P's heap of timers; ordered: two when timers move between Ps
  g_pool,      // cells and warm stacks
  stack,       // address space of stacks
  names,       // the trace's names, whose containers allocate
  checked,     // heapcheck's objects and its quarantine
  sampler,     // the heap's sampled objects
  cache_pool,  // spare caches of the heap
  central,     // ordered, around fork(): unowned spans of one size class
  page_heap,   // the heap's pages
  log,         // dlog's ring
  leaf,        // nothing is taken under it
};

}  // namespace weft::rt
