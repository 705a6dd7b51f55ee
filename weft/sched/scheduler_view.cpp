// SPDX-License-Identifier: Apache-2.0
// Reads what schedtrace prints, and more, into a struct.
#include "weft/sched/internal/scheduler_view.hpp"

#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

const char* text_of(p_status status) noexcept {
  switch (status) {
    case p_status::idle:
      return "idle";
    case p_status::running:
      return "running";
    case p_status::stopped:
      return "stopped";
    case p_status::dead:
      break;
  }
  return "dead";
}

processor_view view_of(const processor& pp) noexcept {
  processor_view v;
  v.id = pp.id;
  v.status = text_of(pp.status.load(relaxed));
  if (const machine* mp = pp.m.load(acquire); mp != nullptr) v.machine = mp->id;
  v.queue_len = pp.queue.length();
  v.tick = pp.tick.load(relaxed);
  v.timers = pp.timers.count;
  v.warm_stacks = pp.free_stack_count;
  return v;
}

machine_view view_of(const machine& m, const goroutine* runs) noexcept {
  machine_view v;
  v.id = m.id;
  v.tid = m.tid;
  const uintptr_t grant = m.grant.load(relaxed);
  if (grant > grant_slow_max) v.processor = reinterpret_cast<const processor*>(grant)->id;
  if (runs != nullptr) v.goroutine = runs->id;
  v.spinning = m.spinning;
  v.announced = m.announced.load(relaxed) != 0;
  v.robbed = m.robbed_at.load(relaxed) != 0;
  v.guest = m.is_guest;
  return v;
}

goroutine_counts count_states() noexcept {
  goroutine_counts counts;
  const uint32_t cells = goroutine_cells();
  for (uint32_t i = 0; i < cells; ++i) {
    const goroutine* gp = all_goroutine(i);
    if (gp->id == 0) continue;
    switch (gp->get_status()) {
      case g_status::runnable:
        ++counts.runnable;
        break;
      case g_status::running:
        ++counts.running;
        break;
      case g_status::waiting:
        ++counts.waiting;
        break;
      case g_status::idle:
      case g_status::dead:
      case g_status::guest:
        break;
    }
  }
  return counts;
}

}  // namespace

scheduler_view view_scheduler() {
  scheduler_view v;
  const uint32_t procs = sched.procs.load(acquire);
  v.uptime_ns = os::monotonic_ns() - sched.started_ns;
  v.procs = procs;
  v.idle_procs = sched.idle_p_count.load(relaxed);
  v.threads = sched.machine_count.load(relaxed) + 1;
  v.idle_threads = sched.idle_m_count;
  v.spinning_threads = sched.spinning.load(relaxed);
  v.need_spinning = sched.need_spinning.load(relaxed) != 0;
  v.run_queue_len = sched.global_len.load(relaxed);
  v.goroutines = count_goroutines();
  const uint32_t made = sched.p_made.load(acquire);
  v.created = v.goroutines;
  for (uint32_t i = 0; i < made; ++i) v.created += sched.all_p[i]->finished.load(relaxed);
  v.retakes = sched.retakes.load(relaxed);
  v.reclaims = sched.reclaims.load(relaxed);
  v.network_waiters = netpoll_waiters();
  v.guests = static_cast<uint32_t>(sched.guests.load(relaxed) / one_guest);
  v.states = count_states();
  v.processors.reserve(procs);
  for (uint32_t i = 0; i < procs; ++i) v.processors.push_back(view_of(*sched.all_p[i]));
  for (machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    const goroutine* runs = mp->cur.load(relaxed);
    if (mp->is_guest && runs == nullptr) continue;  // its thread has ended
    v.machines.push_back(view_of(*mp, runs));
  }
  return v;
}

}  // namespace weft::rt
