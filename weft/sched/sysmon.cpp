// SPDX-License-Identifier: Apache-2.0
// The monitor thread: retakes Ps, polls the network when nobody does, starts threads for due timers,
// prints schedtrace, gives cold stacks back. It has no P and runs no goroutines.
//
// How long it naps decides how late a stall is seen and what an idle process costs: 20 us at first,
// doubling after 50 rounds without a retake up to 10 ms (Go's numbers); not above 1 ms while work
// waits and no P is idle, nor above 400 us while a P is under watch; without limit when all Ps idle.
#include "weft/base/settings.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

inline constexpr int64_t nap_min_ns = 20'000;
inline constexpr int64_t nap_max_ns = 10'000'000;
inline constexpr int64_t nap_work_waits_ns = 1'000'000;
inline constexpr int64_t nap_watching_ns = 400'000;
inline constexpr int quiet_rounds = 50;
inline constexpr int64_t poll_stale_ns = 10'000'000;
inline constexpr int64_t second_ns = 1'000'000'000;
// Naps longer than this are worth a wake-up by weft::blocking().
inline constexpr int64_t long_nap_ns = 1'000'000;

struct monitor {
  int64_t nap_ns = nap_min_ns;
  int quiet = 0;
  int64_t last_trace = 0;
  int64_t last_second = 0;
  int64_t trace_period = 0;
};

bool all_idle() noexcept {
  return sched.stopping.load(relaxed) != 0 ||
         sched.idle_p_count.load(seq_cst) == sched.procs.load(acquire);
}

bool work_waits_somewhere(bool& watching) noexcept {
  const uint32_t procs = sched.procs.load(acquire);
  bool work = sched.global_len.load(relaxed) != 0;
  for (uint32_t i = 0; i < procs; ++i) {
    const processor& pp = *sched.all_p[i];
    if (!pp.queue.empty()) work = true;
    if (pp.m.load(relaxed) != nullptr && pp.tick.load(relaxed) == pp.seen_tick) watching = true;
  }
  watching = watching && work;
  return work;
}

void nap(monitor& self) noexcept {
  if (self.quiet == 0)
    self.nap_ns = nap_min_ns;
  else if (self.quiet > quiet_rounds && self.nap_ns < nap_max_ns)
    self.nap_ns *= 2;
  if (self.nap_ns > nap_max_ns) self.nap_ns = nap_max_ns;
  int64_t limit = nap_max_ns;
  bool watching = false;
  if (self.nap_ns > nap_watching_ns && sched.idle_p_count.load(relaxed) == 0 &&
      work_waits_somewhere(watching)) {
    limit = watching ? nap_watching_ns : nap_work_waits_ns;
  }
  if (self.nap_ns > limit) self.nap_ns = limit;
  if (self.nap_ns <= long_nap_ns) {
    os::sleep_ns(self.nap_ns);
    return;
  }
  sched.sysmon_sleeps.store(1, seq_cst);
  os::futex_wait(sched.sysmon_sleeps, 1, self.nap_ns);
  if (sched.sysmon_sleeps.exchange(0, seq_cst) == 0) self.quiet = 0;  // somebody needs us now
}

/// All Ps idle: sleeps until a P is taken from the idle list (idle_p_get() wakes us).
void sleep_deeply(monitor& self) noexcept {
  int64_t limit = 60 * second_ns;
  if (self.trace_period != 0) limit = self.trace_period;
  limit = limit < second_ns ? limit : second_ns;  // once a second: trimming, the deadlock check
  sched.sysmon_sleeps.store(1, seq_cst);
  // Publish, check. Partner: idle_p_get(): count changed, then look at sysmon_sleeps.
  if (all_idle()) os::futex_wait(sched.sysmon_sleeps, 1, limit);
  sched.sysmon_sleeps.store(0, seq_cst);
  self.quiet = 0;
  self.nap_ns = nap_min_ns;
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
  trim_stacks();
  check_dead();  // a thread that kept the process from being dead may have ended
}

void trace(monitor& self, int64_t now) noexcept {
  if (self.trace_period == 0 || now - self.last_trace < self.trace_period) return;
  if (sched.run_callers.load(relaxed) == 0) return;
  self.last_trace = now;
  print_schedtrace(process_settings().sched_detail);
}

void sysmon_main(void*) {
  adopt_system_thread();
  monitor self;
  self.trace_period = int64_t{process_settings().schedtrace_ms} * 1'000'000;
  const bool may_retake = !process_settings().no_retake;
  for (;;) {
    nap(self);
    if (all_idle()) sleep_deeply(self);
    const int64_t now = os::monotonic_ns();
    refresh_coarse(now);
    if (sched.stopping.load(relaxed) == 0) {
      poll_network(now);
      start_for_timers(now);
      if (may_retake && retake(now) != 0)
        self.quiet = 0;
      else
        ++self.quiet;
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
