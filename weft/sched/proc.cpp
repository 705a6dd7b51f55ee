// SPDX-License-Identifier: Apache-2.0
// The scheduler: who runs next, who wakes whom, who goes to sleep.
//
// A thread (M) needs a P to run goroutines. Work lies in the P's ring and next slot, the global
// queue, netpoll, and timers. The hard part is parking threads without losing work and without
// waking too many. The protocol is Go's (runtime/proc.go, "Worker thread parking/unparking"):
//
//   * A thread that looks for work without having any is *spinning*; at most half of the busy Ps'
//     count spin. Whoever makes work visible wakes one thread if a P is idle and none spins.
//   * A spinning thread that finds work and was the last one wakes another before running it: the
//     work may not have been the only one.
//   * Publish, fence, check. Whoever adds work: publish the work, full fence, look for spinners and
//     idle Ps. Whoever stops spinning: decrement `spinning`, full fence, look at all queues again.
//     One of the two sees the other; otherwise work would lie while a P idles.
//
// A park goes straight from one goroutine's stack to the next one's when the P has one at hand
// (pick_local), through g0 only when work must be searched for: one switch instead of two.
//
// Rejected: waking a thread for every ready() (thrashes), handing the P over directly to a woken
// thread (the waker then has none), one central queue (Boost's shared_work; contends).
#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

scheduler sched;

namespace {

// How long a thief lets a running P keep its next slot: the P is likely to run it itself within
// this time when it parks (ping-pong), and stealing would bounce it. 64 pauses are 1-4 us; Go sleeps
// 3 us here. Smaller steals too eagerly, larger delays wake-ups behind a computing waker.
inline constexpr int next_hold_pauses = 64;
inline constexpr int steal_rounds = 4;  // as Go; next slots and timers only in the last

uint64_t next_random(machine* mp) noexcept {
  // xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016).
  uint64_t x = mp->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  mp->random = x;
  return x * 0x2545f4914f6cdd1dULL;
}

bool any_work_queued() noexcept {
  if (sched.global_len.load(seq_cst) != 0) return true;
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i)
    if (!sched.all_p[i]->queue.empty()) return true;
  return false;
}

int64_t earliest_timer() noexcept {
  int64_t first = no_timer;
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i) {
    const int64_t when = sched.all_p[i]->timers.first_when.load(seq_cst);
    if (when < first) first = when;
  }
  return first;
}

}  // namespace

// --- queues --------------------------------------------------------------------------------------

void global_put_list(g_list& list) noexcept {
  lock_scope hold(sched.lock);
  while (goroutine* gp = list.pop_front()) sched.global.push_back(gp);
  sched.global_len.store(sched.global.count, release);
}

void global_put(goroutine* gp) noexcept {
  lock_scope hold(sched.lock);
  sched.global.push_back(gp);
  sched.global_len.store(sched.global.count, release);
}

namespace {

__attribute__((noinline)) void queue_put_slow(processor& pp, goroutine* gp) noexcept {
  goroutine* batch[run_queue_len / 2];
  for (;;) {
    const uint32_t count = pp.queue.spill(batch);
    if (count != 0) {
      g_list list;
      for (uint32_t i = 0; i < count; ++i) list.push_back(batch[i]);
      list.push_back(gp);
      global_put_list(list);
      return;
    }
    if (pp.queue.push(gp)) return;  // thieves made room
  }
}

/// Takes one to run and moves a share of the global queue to the P's ring.
goroutine* global_get(processor& pp, uint32_t share_max) noexcept WEFT_REQUIRES(sched.lock) {
  if (sched.global.count == 0) return nullptr;
  uint32_t share = sched.global.count / sched.procs.load(acquire) + 1;
  if (share > share_max) share = share_max;
  if (share > sched.global.count) share = sched.global.count;
  goroutine* first = sched.global.pop_front();
  for (uint32_t i = 1; i < share; ++i) {
    goroutine* gp = sched.global.pop_front();
    if (!pp.queue.push(gp)) {
      sched.global.push_back(gp);
      break;
    }
  }
  sched.global_len.store(sched.global.count, release);
  return first;
}

}  // namespace

void run_queue_put(processor& pp, goroutine* gp, bool next) noexcept {
  if (next) {
    gp = pp.queue.exchange_next(gp);
    if (gp == nullptr) return;
  }
  if (!pp.queue.push(gp)) [[unlikely]]
    queue_put_slow(pp, gp);
}

void inject(g_list& ready_list) noexcept {
  g_list list;
  while (goroutine* gp = ready_list.pop_front()) {
    if ((gp->flags & flag_guest) != 0) {
      guest_ready(gp);
      continue;
    }
    gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
    list.push_back(gp);
  }
  if (list.count == 0) return;
  machine* mp = this_machine();
  processor* pp = mp->p;
  if (pp == nullptr) {
    const uint32_t count = list.count;
    global_put_list(list);
    fence(seq_cst);
    for (uint32_t i = 0; i < count && sched.idle_p_count.load(relaxed) != 0; ++i) start_m(nullptr, false);
    return;
  }
  while (goroutine* gp = list.pop_front()) run_queue_put(*pp, gp, false);
  wake_p();
}

// --- Ps --------------------------------------------------------------------------------------------

void acquire_p(machine* mp, processor* pp) noexcept {
  WEFT_ASSERT(mp->p == nullptr);
  mp->p = pp;
  pp->m.store(mp, relaxed);
  pp->status.store(p_status::running, relaxed);
  pp->tick.store(pp->tick.load(relaxed) + 1, relaxed);
  if (mp->robbed_at.load(relaxed) != 0) [[unlikely]] {
    (mp->blocked_when_robbed ? sched.robbed_blocked : sched.robbed_computing).fetch_sub(1, relaxed);
    mp->robbed_at.store(0, relaxed);
  }
  // release: partner is the CAS in retake(): who sees the grant sees the P as ours.
  mp->grant.store(reinterpret_cast<uintptr_t>(pp), release);
}

processor* release_p(machine* mp) noexcept {
  processor* pp = mp->p;
  WEFT_ASSERT(pp != nullptr);
  // May overwrite a request: the retaker's CAS then fails, and the P is on its way anyhow.
  mp->grant.store(grant_none, release);
  mp->old_p = pp;
  mp->p = nullptr;
  pp->m.store(nullptr, relaxed);
  pp->status.store(p_status::idle, relaxed);
  return pp;
}

void idle_p_put(processor* pp) noexcept {
  WEFT_ASSERT(pp->queue.empty());
  pp->status.store(p_status::idle, relaxed);
  pp->link = sched.idle_p;
  sched.idle_p = pp;
  // seq_cst: partner is wake_p()'s load; publish, fence, check.
  sched.idle_p_count.fetch_add(1, seq_cst);
}

processor* idle_p_get(processor* preferred) noexcept {
  processor** at = &sched.idle_p;
  if (preferred != nullptr) {
    while (*at != nullptr && *at != preferred) at = &(*at)->link;
    if (*at == nullptr) at = &sched.idle_p;
  }
  processor* pp = *at;
  if (pp == nullptr) return nullptr;
  *at = pp->link;
  pp->link = nullptr;
  sched.idle_p_count.fetch_sub(1, seq_cst);
  if (sched.sysmon_sleeps.load(relaxed) == 2) wake_sysmon();
  return pp;
}

void hand_off_p(processor* pp) noexcept {
  const bool work = !pp->queue.empty() || sched.global_len.load(relaxed) != 0 ||
                    pp->timers.first_when.load(relaxed) <= os::monotonic_ns();
  if (work && sched.stopping.load(relaxed) == 0) {
    start_m(pp, false);
    return;
  }
  if (sched.stopping.load(relaxed) == 0 && sched.spinning.load(relaxed) == 0 &&
      sched.idle_p_count.load(relaxed) == 0) {
    uint32_t none = 0;
    if (sched.spinning.compare_exchange(none, 1, seq_cst, relaxed)) {
      start_m(pp, true);
      return;
    }
  }
  {
    lock_scope hold(sched.lock);
    if (sched.stopping.load(relaxed) != 0) {
      pp->status.store(p_status::stopped, relaxed);
      if (--sched.stop_wait == 0) {
        sched.stop_note.store(1, release);
        os::futex_wake(sched.stop_note, 1);
      }
      return;
    }
    if (sched.global.count == 0) {
      idle_p_put(pp);
      pp = nullptr;
    }
  }
  if (pp != nullptr) {
    start_m(pp, false);
    return;
  }
  // The P idles now; whoever waits in netpoll must know of its timers.
  const int64_t first = earliest_timer();
  if (first != no_timer) {
    const int64_t until = sched.poll_until.load(relaxed);
    if (sched.last_poll.load(seq_cst) == 0) {
      if (until == 0 || until > first) netpoll_break();
    } else {
      wake_p();
    }
  }
}

void wake_p() noexcept {
  // The caller has published work; full fence, then look for idle Ps. Partner: find_runnable()'s
  // idle_p_put / spinning decrement, then its second look at the queues.
  fence(seq_cst);
  wake_p_published();
}

void wake_p_published() noexcept {
  if (sched.idle_p_count.load(seq_cst) == 0) return;
  uint32_t none = 0;
  if (sched.spinning.load(seq_cst) != 0 ||
      !sched.spinning.compare_exchange(none, 1, seq_cst, relaxed)) {
    return;
  }
  processor* pp = nullptr;
  {
    lock_scope hold(sched.lock);
    pp = sched.stopping.load(relaxed) == 0 ? idle_p_get(nullptr) : nullptr;
    if (pp == nullptr) sched.need_spinning.store(1, relaxed);
  }
  if (pp == nullptr) {
    sched.spinning.fetch_sub(1, seq_cst);
    return;
  }
  start_m(pp, true);
}

// --- finding work -----------------------------------------------------------------------------------

void note_execute(processor& pp, goroutine* gp, bool inherits_slice) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::running), relaxed);
  // A goroutine from the next slot shares its waker's time slice: else two that wake each other
  // would never look like hogs and starve the rest of the ring.
  if (!inherits_slice) pp.tick.store(pp.tick.load(relaxed) + 1, relaxed);
}

namespace {
/// A thousand goroutines that take turns have their cells and stacks out of the first cache: fetch
/// the cell two turns ahead, and the stack one turn ahead.
inline void prefetch_ahead(const processor& pp) noexcept {
#if !WEFT_TSAN  // reads a cell that a thief may have run meanwhile: harmless for a hint
  if (const goroutine* second = pp.queue.peek(1); second != nullptr) __builtin_prefetch(second);
  const goroutine* first = pp.queue.peek(0);
  if (first == nullptr) return;
  const auto* stack = reinterpret_cast<const char*>(first->sp);
  __builtin_prefetch(stack);
  __builtin_prefetch(stack + 128);
  __builtin_prefetch(stack + 192);
  __builtin_prefetch(stack + 256);
#else
  (void)pp;
#endif
}
}  // namespace

goroutine* pick_local(machine* mp, processor& pp) noexcept {
  (void)mp;
  if (sched.stopping.load(relaxed) != 0) [[unlikely]]
    return nullptr;
  if (pp.timers.first_when.load(relaxed) != no_timer) {
    const int64_t now = os::monotonic_ns();
    refresh_coarse(now);
    // Not here: the goroutine that parks still holds the lock that its commit releases, and a `fire`
    // may want it. g0 runs them, after the commit (look_for_work).
    if (pp.timers.first_when.load(relaxed) <= now) return nullptr;
  }
  const uint32_t tick = pp.tick.load(relaxed);
  if (tick % global_check_period == 0 && sched.global_len.load(relaxed) != 0) {
    // A batch, and the tick moves on: yielders beyond the ring's length all get their turn.
    goroutine* gp = nullptr;
    {
      lock_scope hold(sched.lock);
      gp = global_get(pp, run_queue_len / 4);
    }
    if (gp != nullptr) {
      note_execute(pp, gp, false);
      return gp;
    }
  }
  if (goroutine* gp = pp.queue.take_next(); gp != nullptr) {
    note_execute(pp, gp, true);
    return gp;
  }
  if (goroutine* gp = pp.queue.pop(); gp != nullptr) {
    prefetch_ahead(pp);
    note_execute(pp, gp, false);
    return gp;
  }
  if (sched.global_len.load(relaxed) == 0) return nullptr;
  lock_scope hold(sched.lock);
  goroutine* gp = global_get(pp, run_queue_len / 2);
  if (gp != nullptr) note_execute(pp, gp, false);
  return gp;
}

namespace {

uint32_t grab_from(processor& victim, goroutine** out, bool take_next) noexcept {
  const uint32_t count = victim.queue.grab(out);
  if (count != 0 || !take_next) return count;
  goroutine* seen = victim.queue.peek_next();
  if (seen == nullptr) return 0;
  if (victim.status.load(relaxed) == p_status::running) {
    for (int i = 0; i < next_hold_pauses; ++i) {
      arch::spin_hint();
      if (victim.queue.peek_next() != seen) return 0;
    }
  }
  if (!victim.queue.steal_next(seen)) return 0;
  out[0] = seen;
  return 1;
}

goroutine* steal_from(processor& pp, processor& victim, bool take_next) noexcept {
  goroutine* batch[run_queue_len / 2];
  uint32_t count = grab_from(victim, batch, take_next);
  if (count == 0) return nullptr;
  goroutine* first = batch[--count];
  for (uint32_t i = 0; i < count; ++i) run_queue_put(pp, batch[i], false);
  return first;
}

/// Steals goroutines or runs others' due timers. `poll_until` gets the earliest timer seen.
goroutine* steal_work(machine* mp, processor& pp, int64_t now, int64_t& poll_until) noexcept {
  const uint32_t procs = sched.procs.load(acquire);
  for (int round = 0; round < steal_rounds; ++round) {
    const bool last = round == steal_rounds - 1;
    const auto start = static_cast<uint32_t>(next_random(mp) % procs);
    for (uint32_t i = 0; i < procs; ++i) {
      if (sched.stopping.load(relaxed) != 0) return nullptr;
      processor& victim = *sched.all_p[(start + i) % procs];
      if (&victim == &pp) continue;
      if (last) {
        if (victim.timers.first_when.load(acquire) <= now) {
          bool ran = false;
          (void)run_due_timers(victim.timers, now, ran);
          if (ran) {
            if (goroutine* gp = pp.queue.take_next(); gp != nullptr) return gp;
            if (goroutine* gp = pp.queue.pop(); gp != nullptr) return gp;
          }
        }
        const int64_t first = victim.timers.first_when.load(acquire);
        if (first < poll_until) poll_until = first;
      }
      if (goroutine* gp = steal_from(pp, victim, last); gp != nullptr) return gp;
    }
  }
  return nullptr;
}

void stop_spinning_with_work(machine* mp) noexcept {
  mp->spinning = false;
  // The last spinner found work: there may be more, so somebody else looks on.
  sched.spinning.fetch_sub(1, seq_cst);
  wake_p();
}

goroutine* poll_ready_io(machine* mp) noexcept {
  if (!netpoll_initialized() || netpoll_waiters() == 0 || sched.last_poll.load(relaxed) == 0)
    return nullptr;
  g_list list;
  netpoll(0, list);
  inject(list);
  return mp->p->queue.pop();
}

/// Local queue, global queue, network, others. Null: nothing anywhere just now.
goroutine* look_for_work(machine* mp, bool& inherits, int64_t& now, int64_t& poll_until) noexcept {
  processor& pp = *mp->p;
  now = os::monotonic_ns();
  refresh_coarse(now);
  bool ran = false;
  poll_until = run_due_timers(pp.timers, now, ran);
  inherits = false;
  if (pp.tick.load(relaxed) % global_check_period == 0 && sched.global_len.load(relaxed) != 0) {
    lock_scope hold(sched.lock);
    if (goroutine* gp = global_get(pp, run_queue_len / 4); gp != nullptr) return gp;
  }
  if (goroutine* gp = pp.queue.take_next(); gp != nullptr) {
    inherits = true;
    return gp;
  }
  if (goroutine* gp = pp.queue.pop(); gp != nullptr) return gp;
  if (sched.global_len.load(relaxed) != 0) {
    lock_scope hold(sched.lock);
    if (goroutine* gp = global_get(pp, run_queue_len / 2); gp != nullptr) return gp;
  }
  if (goroutine* gp = poll_ready_io(mp); gp != nullptr) return gp;
  const uint32_t busy = sched.procs.load(acquire) - sched.idle_p_count.load(relaxed);
  if (mp->spinning || 2 * sched.spinning.load(relaxed) < busy) {
    if (!mp->spinning) {
      mp->spinning = true;
      sched.spinning.fetch_add(1, seq_cst);
    }
    if (goroutine* gp = steal_work(mp, pp, now, poll_until); gp != nullptr) return gp;
  }
  return nullptr;
}

/// Waits in netpoll for I/O or the next timer, if nobody does so already. True: look again, with a
/// P at hand (mp->p), or with none (everything was put on the global queue).
bool wait_in_netpoll(machine* mp, int64_t poll_until) noexcept {
  if (!netpoll_initialized()) return false;
  if (netpoll_waiters() == 0 && poll_until == no_timer) return false;
  if (sched.last_poll.exchange(0, seq_cst) == 0) return false;  // somebody waits there
  sched.poll_until.store(poll_until == no_timer ? 0 : poll_until, seq_cst);
  // A timer armed between our look and the store above is seen here; one armed after it sees
  // last_poll == 0 and breaks us out.
  fence(seq_cst);
  const int64_t first = earliest_timer();
  if (first < poll_until) poll_until = first;
  int64_t delay = -1;
  if (poll_until != no_timer) {
    delay = poll_until - os::monotonic_ns();
    if (delay < 0) delay = 0;
  }
  g_list list;
  netpoll(delay, list);
  const int64_t now = os::monotonic_ns();
  refresh_coarse(now);
  sched.poll_until.store(0, relaxed);
  sched.last_poll.store(now, seq_cst);
  processor* pp = nullptr;
  {
    lock_scope hold(sched.lock);
    if (sched.stopping.load(relaxed) == 0) pp = idle_p_get(mp->old_p);
  }
  if (pp == nullptr) {
    inject(list);
    return false;
  }
  acquire_p(mp, pp);
  inject(list);
  mp->spinning = true;
  sched.spinning.fetch_add(1, seq_cst);
  return true;
}

/// After giving up the P and the spinning state: is there work after all? Then take a P again.
bool look_again(machine* mp) noexcept {
  const bool work = any_work_queued();
  if (!work && earliest_timer() > os::monotonic_ns()) return false;
  lock_scope hold(sched.lock);
  if (sched.stopping.load(relaxed) != 0) return false;
  processor* pp = idle_p_get(nullptr);
  if (pp == nullptr) return false;
  acquire_p(mp, pp);
  mp->spinning = true;
  sched.spinning.fetch_add(1, seq_cst);
  return true;
}

/// What to run next on this thread; waits as long as it takes. Returns with mp->p set.
goroutine* find_runnable(machine* mp, bool& inherits) noexcept {
  for (;;) {
    if (sched.stopping.load(acquire) != 0 && mp->p != nullptr) surrender_p(mp);
    if (mp->p == nullptr) {
      // Robbed, and its goroutine has parked: be useful as the poller, or sleep.
      if (!wait_in_netpoll(mp, earliest_timer())) stop_m(mp);
      continue;
    }
    int64_t now = 0;
    int64_t poll_until = no_timer;
    goroutine* gp = look_for_work(mp, inherits, now, poll_until);
    if (gp != nullptr) return gp;
    {
      lock_scope hold(sched.lock);
      if (sched.stopping.load(relaxed) != 0) continue;
      gp = global_get(*mp->p, run_queue_len / 2);
      if (gp != nullptr) return gp;
      if (!mp->spinning && sched.need_spinning.load(relaxed) == 1) {
        sched.need_spinning.store(0, relaxed);
        mp->spinning = true;
        sched.spinning.fetch_add(1, seq_cst);
        continue;
      }
      idle_p_put(release_p(mp));
    }
    const bool was_spinning = mp->spinning;
    if (was_spinning) {
      mp->spinning = false;
      sched.spinning.fetch_sub(1, seq_cst);
    }
    // Publish (idle P, no longer spinning), fence, check. Partner: wake_p().
    fence(seq_cst);
    if (look_again(mp)) continue;
    if (wait_in_netpoll(mp, earliest_timer())) continue;
    stop_m(mp);
  }
}

}  // namespace

void schedule_loop(machine* mp) noexcept {
  for (;;) {
    bool inherits = false;
    goroutine* gp = find_runnable(mp, inherits);
    if (mp->spinning) stop_spinning_with_work(mp);
    note_execute(*mp->p, gp, inherits);
    transfer(mp, nullptr, gp);
    // Back on g0 of the same thread; maybe without a P, when it was robbed and its goroutine parked.
  }
}

// --- what sync/ and net/ call --------------------------------------------------------------------------

void park(park_commit commit, void* argument, wait_reason why, const void* on) noexcept {
  machine* mp = this_machine();
  goroutine* gp = mp->cur.load(relaxed);
  gp->reason = why;
  gp->wait_on = on;
  gp->since_ns = sched.coarse_now.load(relaxed);
  gp->status.store(static_cast<uint32_t>(g_status::waiting), relaxed);
  if (mp->is_guest) [[unlikely]] {
    guest_park(mp, commit, argument);
    return;
  }
  mp->commit = commit;
  mp->commit_argument = argument;
  mp->commit_g = gp;
  goroutine* next = nullptr;
  if (processor* pp = mp->p; pp != nullptr && !mp->sim) [[likely]]
    next = pick_local(mp, *pp);
  transfer(mp, gp, next);
}

void ready(goroutine* gp) noexcept {
  machine* mp = this_machine();
  if ((gp->flags & flag_guest) != 0) [[unlikely]] {
    guest_ready(gp);
    return;
  }
  WEFT_ASSERT(gp->status.load(relaxed) == static_cast<uint32_t>(g_status::waiting));
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  if (mp->sim) [[unlikely]] {
    sim_ready(gp);
    return;
  }
  if (processor* pp = mp->p; pp != nullptr) [[likely]] {
    run_queue_put(*pp, gp, true);
    wake_p_published();  // exchange_next() is the seq_cst publication
  } else {
    global_put(gp);
    wake_p();
  }
}

namespace {
bool commit_yield(goroutine* gp, void*) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  machine* mp = this_machine();
  if (mp->sim)
    sim_ready(gp);
  else if (mp->p == nullptr)
    global_put(gp), wake_p();
  // Behind everybody: if goroutines wait in the global queue, its tail is the back. The ring alone
  // would let its 256 take turns while thousands wait, and a full ring must not spill those that
  // were just fetched and have not run.
  else if (sched.global_len.load(relaxed) != 0 || !mp->p->queue.push(gp))
    global_put(gp);
  return true;
}
bool commit_yield_global(goroutine* gp, void*) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  global_put(gp);
  wake_p();
  return true;
}

void leave(machine* mp, park_commit commit) noexcept {
  goroutine* gp = mp->cur.load(relaxed);
  gp->reason = wait_reason::none;
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  mp->commit = commit;
  mp->commit_argument = nullptr;
  mp->commit_g = gp;
  goroutine* next = nullptr;
  if (processor* pp = mp->p; pp != nullptr && !mp->sim) next = pick_local(mp, *pp);
  transfer(mp, gp, next);
}
}  // namespace

void yield_now() noexcept {
  machine* mp = this_machine();
  if (mp->is_guest) {
    os::yield_thread();
    return;
  }
  if (!mp->sim && mp->p != nullptr) {
    processor* pp = mp->p;
    // Alone: nothing to yield to. An empty ring also means nothing woken by timers is due, unless
    // there are timers.
    if (pp->queue.empty() && sched.global_len.load(relaxed) == 0 &&
        pp->timers.first_when.load(relaxed) == no_timer && sched.stopping.load(relaxed) == 0 &&
        netpoll_waiters() == 0) {
      pp->tick.store(pp->tick.load(relaxed) + 1, relaxed);
      return;
    }
  }
  leave(mp, commit_yield);
}

void honour_yield(machine* mp) noexcept {
  mp->want_yield = false;
  // To the global queue's tail: it has had its 10 ms, and the ring must not be its own again.
  leave(mp, commit_yield_global);
}

uint32_t random_u32() noexcept {
  return static_cast<uint32_t>(next_random(this_machine()) >> 32);
}

bool can_spin(int round) noexcept {
  if (round >= 4) return false;
  machine* mp = this_machine();
  const uint32_t procs = sched.procs.load(acquire);
  if (mp->sim || mp->p == nullptr || procs <= 1) return false;
  if (procs <= sched.idle_p_count.load(relaxed) + sched.spinning.load(relaxed) + 1) return false;
  return mp->p->queue.empty();
}

int64_t now_ns() noexcept { return sim_enabled ? sim_now() : os::monotonic_ns(); }

const char* wait_reason_text(wait_reason why) noexcept {
  static constexpr const char* texts[] = {
      "",
      "IO wait",
      "chan receive (nil chan)",
      "chan send (nil chan)",
      "select",
      "select (no cases)",
      "chan receive",
      "chan send",
      "semacquire",
      "sleep",
      "sync.Cond.Wait",
      "sync.Mutex.Lock",
      "sync.RWMutex.RLock",
      "sync.RWMutex.Lock",
      "sync.WaitGroup.Wait",
      "preempted",
      "join",
      "group wait",
      "once wait",
  };
  static_assert(sizeof texts / sizeof *texts == static_cast<size_t>(wait_reason::count_));
  const auto index = static_cast<size_t>(why);
  return index < static_cast<size_t>(wait_reason::count_) ? texts[index] : "unknown";
}

}  // namespace weft::rt
