// SPDX-License-Identifier: Apache-2.0
// The monitor thread: retakes Ps, polls the network when nobody does, starts threads for due
// timers, prints schedtrace, gives cold stacks back. It has no P and runs no goroutines.
//
// How long it naps decides how late a stall is seen and what an idle process costs:
//   20 us   for a while after weft::blocking was entered (announced blocking is due after 20 us)
//   150 us  while work waits, no P is idle and some P's tick did not move between the last two
//           looks: a stall may be forming;  300 us when that has lasted a millisecond (it computes)
//   1 ms    while work waits and no P is idle (300 us for a while after a P was taken: blocking
//           calls come in rows);  2 ms otherwise
//   5 ms    while all Ps idle; after 8 of those a second at a time, and the first P to leave the
//           idle list wakes it
// Go starts at 20 us after every idle phase; under bursty load that cost 14 % of a server's CPU
// here. A nap costs 5 to 15 us of CPU time (a timer's interrupt and two switches).
#include "weft/base/settings.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

atomic<void (*)(int64_t now) noexcept> every_second{nullptr};

namespace {

inline constexpr int64_t nap_announced_ns = 20'000;
inline constexpr int64_t nap_suspecting_ns = 150'000;
inline constexpr int64_t nap_watching_ns = 300'000;
inline constexpr int64_t suspicion_ends_ns = 1'000'000;
inline constexpr int64_t watchful_ns = 10'000'000;  // after a P was taken
inline constexpr int64_t nap_work_waits_ns = 1'000'000;
inline constexpr int64_t nap_usual_ns = 2'000'000;
inline constexpr int announced_rounds = 50;  // 1 ms of quick looks
inline constexpr int64_t nap_idle_ns = 5'000'000;
inline constexpr int idle_naps_max = 8;  // 40 ms
inline constexpr int64_t poll_stale_ns = 10'000'000;
inline constexpr int64_t second_ns = 1'000'000'000;

struct monitor {
  int quick_rounds = 0;
  int idle_naps = 0;
  int64_t looked_at = 0;       // when retake() last looked at the Ps
  int64_t watchful_until = 0;  // it took one lately
  int64_t last_trace = 0;
  int64_t last_second = 0;
  int64_t trace_period = 0;
};

bool all_idle() noexcept {
  if (sched.stopping.load(relaxed) != 0) return true;
  return sched.idle_p_count.load(seq_cst) == sched.procs.load(acquire) &&
         sched.refused_since.load(relaxed) == 0;
}

/// Whether work waits anywhere. `still_since`: since when the P that began last to stand still
/// does, as far as two looks can tell; no_stall: none does.
inline constexpr int64_t no_stall = INT64_MIN;
bool work_waits_somewhere(const monitor& self, int64_t& still_since) noexcept {
  const uint32_t procs = sched.procs.load(acquire);
  bool work = sched.global_len.load(relaxed) != 0;
  still_since = no_stall;
  for (uint32_t i = 0; i < procs; ++i) {
    const processor& pp = *sched.all_p[i];
    if (!pp.queue.empty()) work = true;
    // The last look saw this very tick, and an earlier one did.
    if (pp.m.load(acquire) != nullptr && pp.tick.load(relaxed) == pp.seen_tick &&
        pp.seen_when < self.looked_at && pp.seen_when > still_since)
      still_since = pp.seen_when;
  }
  return work;
}

int64_t nap_length(monitor& self) noexcept {
  if (self.quick_rounds > 0) {
    --self.quick_rounds;
    return nap_announced_ns;
  }
  int64_t still_since = no_stall;
  if (sched.idle_p_count.load(relaxed) != 0 || !work_waits_somewhere(self, still_since))
    return nap_usual_ns;
  if (still_since != no_stall)
    return self.looked_at - still_since < suspicion_ends_ns ? nap_suspecting_ns : nap_watching_ns;
  return self.looked_at < self.watchful_until ? nap_watching_ns : nap_work_waits_ns;
}

/// Sleeps on sysmon_sleeps, so that whoever needs the monitor can end it: 1 for a nap (only
/// blocking() does), 2 for a deep sleep (also a P that leaves the idle list).
void sleep_for(monitor& self, uint32_t depth, int64_t limit_ns) noexcept {
  sched.sysmon_sleeps.store(depth, seq_cst);
  // Publish, check. Partners: idle_p_get() changes the count, blocking_scope sets its flag, and
  // both look at sysmon_sleeps afterwards.
  if (sched.blocking_announced.load(seq_cst) == 0 && (depth == 1 || all_idle()))
    os::futex_wait(sched.sysmon_sleeps, depth, limit_ns);
  sched.sysmon_sleeps.store(0, seq_cst);
  if (sched.blocking_announced.exchange(0, seq_cst) != 0) self.quick_rounds = announced_rounds;
}

void nap(monitor& self) noexcept {
  if (!all_idle()) {
    self.idle_naps = 0;
    sleep_for(self, 1, nap_length(self));
  } else if (++self.idle_naps < idle_naps_max) {
    sleep_for(self, 1, nap_idle_ns);
  } else {
    // Once a second all the same: trimming, the deadlock check, the trace line.
    const bool tracing = self.trace_period != 0 && self.trace_period < second_ns;
    sleep_for(self, 2, tracing ? self.trace_period : second_ns);
    if (!all_idle()) self.idle_naps = 0;
  }
}

void poll_network(int64_t now) noexcept {
  int64_t polled = sched.last_poll.load(relaxed);
  if (!netpoll_initialized() || netpoll_waiters() == 0) return;
  if (polled == 0 || now - polled < poll_stale_ns) return;
  if (!sched.last_poll.compare_exchange(polled, now, seq_cst, relaxed)) return;
  g_list list;
  // They wait no longer and are in no queue yet: check_dead() must not take that for death.
  sched.injecting.store(1, seq_cst);
  netpoll(0, list);
  inject(list);
  sched.injecting.store(0, seq_cst);
}

void start_for_timers(int64_t now) noexcept {
  if (sched.idle_p_count.load(relaxed) == 0) return;
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i) {
    if (sched.all_p[i]->timers.first_when.load(relaxed) > now) continue;
    start_m(nullptr, false);
    return;
  }
}

void once_a_second(monitor& self, int64_t now) noexcept {
  if (now - self.last_second < second_ns) return;
  self.last_second = now;
  trim_stacks(now);
  // acquire: what whoever set it has made before.
  if (auto* also = every_second.load(acquire); also != nullptr) also(now);
  // Who waits in netpoll without limit does not see that the last descriptor was closed: let it
  // look again, and go to sleep like the others.
  if (sched.last_poll.load(seq_cst) == 0 && netpoll_waiters() == 0 && earliest_timer() == no_timer)
    netpoll_break();
  check_dead();  // a thread that kept the process from being dead may have ended
}

void trace(monitor& self, int64_t now) noexcept {
  if (self.trace_period == 0 || now - self.last_trace < self.trace_period) return;
  // Before the first weft::run has set up its Ps there is nothing to tell.
  if (sched.run_callers.load(relaxed) == 0 || sched.procs.load(acquire) == 0) return;
  self.last_trace = now;
  print_schedtrace(process_settings().sched_detail);
}

void sysmon_main(void*) {
  adopt_system_thread();
  heap_drop_cache();  // it allocates no more
  monitor self;
  self.trace_period = int64_t{process_settings().schedtrace_ms} * 1'000'000;
  const bool may_retake = !process_settings().no_retake;
  for (;;) {
    nap(self);
    const int64_t now = os::monotonic_ns();
    refresh_coarse(now);
    if (sched.stopping.load(relaxed) == 0) {
      poll_network(now);
      start_for_timers(now);
      retry_refused_start(now);
      self.looked_at = now;
      if (may_retake && retake(now) > 0) self.watchful_until = now + watchful_ns;
    }
    trace(self, now);
    once_a_second(self, now);
  }
}

}  // namespace

void wake_sysmon() noexcept {
  if (sched.sysmon_sleeps.exchange(0, seq_cst) != 0) os::futex_wake(sched.sysmon_sleeps, 1);
}

void start_sysmon() noexcept {
  // 64 KiB: it formats trace lines into a fixed buffer and keeps two arrays of procs_max entries.
  if (os::start_thread(sysmon_main, nullptr, 128 * 1024, "weft-sysmon") != 0)
    fatal("cannot start the monitor thread: thread or memory limit reached");
}

}  // namespace weft::rt
