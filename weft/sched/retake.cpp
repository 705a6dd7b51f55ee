// SPDX-License-Identifier: Apache-2.0
// Taking a P back from a thread that does not cooperate, and stopping the world by the same means.
//
// A thread outside the runtime (in_rt == 0) may be computing or asleep in the kernel; it does not
// touch its P there. The retaker claims `grant`, fences, looks at in_rt:
//
//   M, entry:  in_rt = 1; light_fence; load grant        retaker:  grant: P -> retaking;
//   heavy_fence;
//                                                                  load in_rt
//
// One of the two sees the other. If M sees `retaking` it takes its P back by CAS; if the retaker
// sees in_rt == 0 it goes on to `robbing` by CAS; only one CAS succeeds. A section begun after the
// heavy fence sees `retaking`, so later looks at this request need no new fence. At a request that
// was reclaimed and made anew they do.
//
// A robbed M goes on in user code without a P, as a guest: calls that cannot park work through the
// global queue; a call that may park first gets a P again or queues its goroutine (regain_p).
//
// A request that found in_rt == 1 stays posted: the next entry sees it, reclaims, and yields (or
// leaves that to an entry that may park). That is the cooperative preemption of computing
// goroutines that do call the runtime.
//
// Rejected: signals (no safe points in C++: malloc, std::mutex, the unwinder); CAS at both ends of
// every call (18 ns against 2.5); one fence per P (13 us each when the P's thread runs).
#include "weft/base/panic.hpp"
#include "weft/base/settings.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

void forget_robbery(machine* mp) noexcept {
  if (mp->robbed_at.load(relaxed) == 0) return;
  (mp->blocked_when_robbed ? sched.robbed_blocked : sched.robbed_computing).fetch_sub(1, relaxed);
  mp->robbed_at.store(0, relaxed);
}

namespace {

// As Go: a time slice. Smaller preempts computing goroutines more often, larger delays their queue.
inline constexpr int64_t slice_ns = 10'000'000;
// Asleep in the kernel, unannounced: two looks this far after the last scheduling decision. Smaller
// robs for short blocking calls that would have returned; larger adds up when blockers follow each
// other (eight sleepers in a row: 102 ms at 10 ms, 26-31 ms at 300 us).
inline constexpr int64_t blocked_after_ns = 300'000;
inline constexpr uint32_t blocked_looks_wanted = 2;
// Announced by weft::blocking: one sysmon tick, as Go for system calls.
inline constexpr int64_t announced_after_ns = 20'000;
inline constexpr int64_t poll_stale_ns = 10'000'000;
// Each robbed computing goroutine stays runnable in the kernel: beyond this many a P, more threads
// only slow each other down, and the request stays posted until one of them yields.
inline constexpr int32_t computing_per_p_max = 4;

bool commit_to_global(goroutine* gp, void*) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  global_put(gp);
  wake_p();
  return true;
}

/// A robbed M at a call that may park: an idle P, or the queue.
void regain_p(machine* mp) noexcept {
  forget_robbery(mp);
  {
    kept_lock_scope hold(sched.lock);
    processor* pp = sched.stopping.load(relaxed) == 0 ? idle_p_get(mp->old_p) : nullptr;
    if (pp != nullptr) {
      acquire_p(mp, pp);
      return;
    }
  }
  goroutine* gp = mp->cur.load(relaxed);
  if ((probes.now() & probe_trace) != 0) trace_requeued(mp, gp);
  gp->reason = wait_reason::none;
  mp->commit = commit_to_global;
  mp->commit_argument = nullptr;
  mp->commit_g = gp;
  transfer(mp, gp, nullptr);
}

/// Is it ours still? Ends: `robbing` lasts a few instructions of the retaker.
bool resolve_grant(machine* mp) noexcept {
  for (int rounds = 0;; ++rounds) {
    uintptr_t grant = mp->grant.load(acquire);  // partner: the retaker's release of grant_none
    if (grant > grant_slow_max) return true;
    if (grant == grant_none) {
      if (mp->p != nullptr) mp->old_p = mp->p;
      mp->p = nullptr;
      return false;
    }
    if (grant == grant_retaking &&
        mp->grant.compare_exchange(grant, reinterpret_cast<uintptr_t>(mp->p), acq_rel, relaxed)) {
      sched.reclaims.fetch_add(1, relaxed);
      mp->want_yield = true;
      return true;
    }
    if (rounds < 100)
      arch::spin_hint();
    else
      os::yield_thread();
  }
}

}  // namespace

__attribute__((noinline)) void enter_slow(machine* mp, section_kind kind) noexcept {
  refuse_forked_child();
  if (mp->is_guest) return;
  if (mp->sim) {
    sim_enter(mp, kind);
    return;
  }
  const bool ours = resolve_grant(mp);
  if (kind == leaf) return;
  if (!ours)
    regain_p(mp);
  else if (mp->want_yield)
    honour_yield(mp);
}

void attend() noexcept {
  if (sim_enabled) {
    sim_point();
    return;
  }
  // A foreign thread is not made a guest for this.
  if (this_machine() == nullptr) return;
  const section entered(may_park);
}

namespace {

enum class request : uint8_t { none, stands, made };

/// Posts a request to the thread that holds `pp`; or one stands, ours or a leftover one.
request post(processor& pp, machine* mp) noexcept {
  auto expected = reinterpret_cast<uintptr_t>(&pp);
  // seq_cst, then heavy_fence(); partner: enter_section()'s store of in_rt and load of grant.
  const bool made = mp->grant.compare_exchange(expected, grant_retaking, seq_cst, relaxed);
  // A leftover request (posted, then dropped because the tick moved while in_rt was 1) counts: else
  // a goroutine that started meanwhile and blocks without any entry could never be robbed.
  if (!made && expected != grant_retaking) return request::none;
  pp.posted = mp;
  return made ? request::made : request::stands;
}

/// Second half: true when the P was taken out of its thread's hands.
bool try_rob(processor& pp, machine* mp, int64_t now, bool blocked) noexcept {
  if (mp->in_rt.load(acquire) != 0) return false;  // partner: leave_section()
  uintptr_t expected = grant_retaking;
  if (!mp->grant.compare_exchange(expected, grant_robbing, acq_rel, relaxed)) {
    pp.posted = nullptr;
    return false;
  }
  // Between robbing and none the P is ours. No lock, no allocation, no system call here.
  pp.posted = nullptr;
  pp.m.store(nullptr, relaxed);
  pp.status.store(p_status::idle, relaxed);
  mp->blocked_when_robbed = blocked;
  mp->robbed_at.store(now, relaxed);
  if ((probes.now() & probe_trace) != 0) trace_robbed(mp, &pp);
  (blocked ? sched.robbed_blocked : sched.robbed_computing).fetch_add(1, relaxed);
  mp->grant.store(grant_none, release);
  return true;
}

bool work_waits(const processor& pp, int64_t now) noexcept {
  if (sched.global_len.load(relaxed) != 0 || !pp.queue.empty()) return true;
  if (pp.timers.first_when.load(relaxed) <= now) return true;
  const int64_t polled = sched.last_poll.load(relaxed);
  return polled != 0 && netpoll_waiters() != 0 && now - polled > poll_stale_ns;
}

/// Tells fast paths whether any request stands.
void note_requests(uint32_t procs) noexcept {
  bool any = false;
  for (uint32_t i = 0; i < procs; ++i) any = any || sched.all_p[i]->posted != nullptr;
  const uint32_t seen = attention.load(relaxed);
  if (any == ((seen & attention_preempt) != 0)) return;
  if (any)
    attention.fetch_or(attention_preempt, relaxed);
  else
    attention.fetch_and(~attention_preempt, relaxed);
}

enum class verdict : uint8_t { leave, computing, blocked };

/// What is due for a P whose tick has not moved since pp.seen_when.
verdict judge(processor& pp, machine* mp, int64_t now) noexcept {
  const int64_t age = now - pp.seen_when;
  if (mp->announced.load(relaxed) != 0 && age >= announced_after_ns) return verdict::blocked;
  if (age >= blocked_after_ns && mp->in_rt.load(relaxed) == 0) {
    const char state = os::thread_state(mp->tid, mp->state_fd);
    if (state == 'S' || state == 'D') {
      if (++pp.blocked_looks >= blocked_looks_wanted) return verdict::blocked;
    } else {
      pp.blocked_looks = 0;  // R: computing, or descheduled by the kernel, which is no fault
    }
  }
  return age >= slice_ns ? verdict::computing : verdict::leave;
}

}  // namespace

int retake(int64_t now) noexcept {
  kept_lock_scope hold(sched.retake_lock);
  if (sched.stopping.load(acquire) != 0) return 0;
  const uint32_t procs = sched.procs.load(acquire);
  verdict verdicts[procs_max] = {};
  bool fence_needed = false;
  for (uint32_t i = 0; i < procs; ++i) {
    processor& pp = *sched.all_p[i];
    machine* mp = pp.m.load(acquire);
    const uint32_t tick = pp.tick.load(relaxed);
    if (mp == nullptr || tick != pp.seen_tick) {
      pp.seen_tick = tick;
      pp.seen_when = now;
      pp.posted = nullptr;
      pp.blocked_looks = 0;
      continue;
    }
    if (!work_waits(pp, now)) continue;
    if (sched.idle_p_count.load(relaxed) != 0) {
      wake_p();  // it steals the queue and the timers: nobody needs to be robbed
      continue;
    }
    verdicts[i] = judge(pp, mp, now);
    if (verdicts[i] == verdict::leave) continue;
    const bool had = pp.posted == mp;
    const request asked = post(pp, mp);
    // One that we posted before and that stands has had its fence. One that was heard and reclaimed
    // meanwhile, in a section that schedules nothing, is made anew and needs another.
    if (asked == request::none || (had && asked == request::stands)) continue;
    if (!had || !mutated("retake: a request made anew has no fence")) fence_needed = true;
    if (had) continue;  // it is taken in this round
    // A computing goroutine that calls the runtime now and then yields by itself: it has until the
    // next round. A blocked thread cannot.
    if (verdicts[i] == verdict::computing) verdicts[i] = verdict::leave;
  }
  if (fence_needed) os::heavy_fence();
  note_requests(procs);
  processor* taken[procs_max];
  uint32_t count = 0;
  const auto computing_max = static_cast<int32_t>(procs) * computing_per_p_max;
  for (uint32_t i = 0; i < procs; ++i) {
    processor& pp = *sched.all_p[i];
    machine* mp = pp.posted;
    if (verdicts[i] == verdict::leave || mp == nullptr) continue;
    if (pp.m.load(acquire) != mp || pp.tick.load(relaxed) != pp.seen_tick) {
      pp.posted = nullptr;
      continue;
    }
    const bool blocked = verdicts[i] == verdict::blocked;
    if (!blocked && sched.robbed_computing.load(relaxed) >= computing_max) continue;
    if (try_rob(pp, mp, now, blocked)) taken[count++] = &pp;
  }
  for (uint32_t i = 0; i < count; ++i) hand_off_p(taken[i]);
  sched.retakes.fetch_add(count, relaxed);
  return static_cast<int>(count);
}

// --- stop the world ---

void note_stopped(processor* pp) noexcept {
  pp->status.store(p_status::stopped, relaxed);
  if (--sched.stop_wait == 0) {
    sched.stop_note.store(1, release);
    os::futex_wake(sched.stop_note, 1);
  }
}

namespace {

// How often running threads are looked at again while the world stops.
inline constexpr int64_t stop_look_ns = 100'000;

void rob_running(machine* self) noexcept {
  kept_lock_scope hold(sched.retake_lock);
  const uint32_t procs = sched.procs.load(acquire);
  const int64_t now = os::monotonic_ns();
  for (uint32_t i = 0; i < procs; ++i) {
    processor& pp = *sched.all_p[i];
    machine* mp = pp.m.load(acquire);
    pp.posted = nullptr;
    if (mp != nullptr && mp != self) (void)post(pp, mp);
  }
  os::heavy_fence();
  for (uint32_t i = 0; i < procs; ++i) {
    processor& pp = *sched.all_p[i];
    machine* mp = pp.posted;
    if (mp == nullptr || !try_rob(pp, mp, now, false)) continue;
    kept_lock_scope hold_lists(sched.lock);
    note_stopped(&pp);
  }
}

}  // namespace

void surrender_p(machine* mp) noexcept {
  processor* pp = release_p(mp);
  if (mp->spinning) {
    mp->spinning = false;
    sched.spinning.fetch_sub(1, seq_cst);
  }
  kept_lock_scope hold(sched.lock);
  note_stopped(pp);
}

namespace {

/// Claims the stop. False while somebody else holds the world still.
bool claim_stop(machine* self, bool& wait) noexcept {
  kept_lock_scope hold(sched.lock);
  if (sched.stopping.load(relaxed) != 0) return false;
  // Together under the lock: whoever sees `stopping` and surrenders must find stop_wait set.
  sched.stopping.store(1, seq_cst);
  sched.stop_note.store(0, relaxed);
  sched.stop_wait = static_cast<int32_t>(sched.procs.load(acquire));
  if (self->p != nullptr) --sched.stop_wait;
  while (processor* pp = idle_p_get(nullptr)) {
    pp->status.store(p_status::stopped, relaxed);
    --sched.stop_wait;
  }
  wait = sched.stop_wait > 0;
  return true;
}

}  // namespace

bool stop_the_world(bool during_run) noexcept {
  bool wait = false;
  // One stopper at a time; another one's stop ends after its resize. That of a weft::run which has
  // ended lasts until the next one starts, which may be never.
  while (!claim_stop(this_machine(), wait)) {
    if (during_run && sched.main_done.load(seq_cst) != 0) return false;
    if (this_machine()->p != nullptr)
      yield_now();
    else
      os::yield_thread();
  }
  machine* self = this_machine();
  while (wait) {
    rob_running(self);
    if (sched.stop_note.load(acquire) == 0) os::futex_wait(sched.stop_note, 0, stop_look_ns);
    kept_lock_scope hold(sched.lock);
    wait = sched.stop_wait > 0;
  }
  return true;
}

namespace {

processor* make_p(uint32_t id) noexcept {
  void* memory = os::reserve_writable(sizeof(processor));
  if (memory == nullptr)
    fatal("out of address space: processor %d is refused (ulimit -v? vm.max_map_count?)", id);
  auto* pp = new (memory) processor{};
  pp->id = id;
  timer_heap_init(pp->timers);
  return pp;
}

/// A P that goes away leaves its goroutines to the global queue and its timers to the first P.
void retire_p(processor& pp) noexcept WEFT_REQUIRES(sched.lock) {
  while (goroutine* gp = pp.queue.take_next()) sched.global.push_back(gp);
  while (goroutine* gp = pp.queue.pop()) sched.global.push_back(gp);
  sched.global_len.store(sched.global.count(), release);
  move_timers(pp.timers, sched.all_p[0]->timers);
  flush_free_lists(pp);
  heap_retire_cache(pp.cache);
  pp.status.store(p_status::dead, relaxed);
}

/// The caller's P was retired: it goes on with the first one.
void move_to_first(machine* self) noexcept {
  processor* old = self->p;
  if ((probes.now() & probe_trace) != 0) {
    trace_stop(self->cur.load(relaxed), true);
    trace_released(self, old);
  }
  old->m.store(nullptr, relaxed);
  self->p = nullptr;
  acquire_p(self, sched.all_p[0]);
}

}  // namespace

void start_the_world(uint32_t procs) noexcept {
  machine* self = this_machine();
  processor* runnable = nullptr;
  {
    kept_lock_scope hold(sched.lock);
    const uint32_t made = sched.p_made.load(relaxed);
    for (uint32_t i = made; i < procs; ++i) sched.all_p[i] = make_p(i);
    if (procs > made) sched.p_made.store(procs, release);
    for (uint32_t i = procs; i < sched.procs.load(acquire); ++i) retire_p(*sched.all_p[i]);
    sched.procs.store(procs, release);
    if (self->p != nullptr && self->p->id >= procs) move_to_first(self);
    for (uint32_t i = procs; i-- > 0;) {
      processor* pp = sched.all_p[i];
      pp->alone = procs == 1;
      if (pp == self->p) continue;
      if (pp->queue.empty()) {
        idle_p_put(pp);
      } else {
        pp->status.store(p_status::idle, relaxed);
        pp->link = runnable;
        runnable = pp;
      }
    }
    sched.stopping.store(0, seq_cst);
  }
  while (processor* pp = runnable) {
    runnable = pp->link;
    pp->link = nullptr;
    start_m(pp, false);
  }
  wake_sysmon();
  wake_p();
}

}  // namespace weft::rt
