// SPDX-License-Identifier: Apache-2.0
// Finding what runs next: a P's own queues, the global queue, the network, other Ps; and going to
// sleep without losing work. The protocol is described at the top of proc.cpp.
#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

// How long a thief lets a running P keep its next slot: the P is likely to run it itself within
// this time when it parks (ping-pong), and stealing would bounce it. 64 pauses are 1-4 us; Go
// sleeps 3 us here. Smaller steals too eagerly, larger delays wake-ups behind a computing waker.
inline constexpr int next_hold_pauses = 64;
inline constexpr int steal_rounds = 4;  // as Go; next slots and timers only in the last

// How many a P takes from the global queue at once: on its turn every 61st time, and when it has
// nothing else. Go's: a quarter and a half of its ring.
inline constexpr uint32_t global_share_min = 64;
inline constexpr uint32_t global_share_max = 128;

bool any_work_queued() noexcept {
  if (sched.global_len.load(seq_cst) != 0) return true;
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i)
    if (!sched.all_p[i]->queue.empty()) return true;
  return false;
}

/// Takes one to run and moves a share of the global queue to the P's ring.
goroutine* global_get(processor& pp, uint32_t share_max) noexcept WEFT_REQUIRES(sched.lock) {
  if (sched.global.count() == 0) return nullptr;
  uint32_t share = sched.global.count() / sched.procs.load(acquire) + 1;
  if (share > share_max) share = share_max;
  if (share > sched.global.count()) share = sched.global.count();
  goroutine* first = sched.global.pop_front();
  for (uint32_t i = 1; i < share; ++i) {
    goroutine* gp = sched.global.pop_front();
    if (!pp.queue.push(gp)) {
      sched.global.push_back(gp);
      break;
    }
  }
  sched.global_len.store(sched.global.count(), release);
  return first;
}

}  // namespace

namespace {
/// A thousand goroutines that take turns have their cells and stacks out of the first cache: fetch
/// the cell two turns ahead, and the stack one turn ahead.
inline void prefetch_ahead(const processor& pp) noexcept {
  // Reads a cell that a thief may have run meanwhile: harmless for a hint.
  if (const goroutine* second = pp.queue.peek(1); second != nullptr) __builtin_prefetch(second);
  const goroutine* first = pp.queue.peek(0);
  if (first == nullptr) return;
  if ((first->flags & flag_unborn) != 0) {
    __builtin_prefetch(&birth_of(first));
    return;
  }
  const auto* stack = reinterpret_cast<const char*>(first->sp);
  __builtin_prefetch(stack);
  __builtin_prefetch(stack + 128);
  __builtin_prefetch(stack + 192);
  __builtin_prefetch(stack + 256);
}
}  // namespace

namespace {

goroutine* pick_local(processor& pp) noexcept {
  if (sched.stopping.load(relaxed) != 0) [[unlikely]]
    return nullptr;
  if (pp.timers.first_when.load(relaxed) != no_timer) {
    const int64_t now = os::monotonic_ns();
    refresh_coarse(now);
    // Not here: the goroutine that parks still holds the lock that its commit releases, and a
    // `fire` may want it. g0 runs them, after the commit (look_for_work).
    if (pp.timers.first_when.load(relaxed) <= now) return nullptr;
  }
  const uint32_t tick = pp.tick.load(relaxed);
  if (tick % global_check_period == 0 && sched.global_len.load(relaxed) != 0) {
    // A batch, and the tick moves on: yielders beyond the ring's length all get their turn.
    goroutine* gp = nullptr;
    {
      kept_lock_scope hold(sched.lock);
      gp = global_get(pp, global_share_min);
    }
    if (gp != nullptr) {
      note_execute(pp, gp, false);
      return gp;
    }
  }
  if (goroutine* gp = pp.queue.take_next(pp.alone); gp != nullptr) {
    note_execute(pp, gp, true);
    return gp;
  }
  if (goroutine* gp = pp.queue.pop(pp.alone); gp != nullptr) {
    prefetch_ahead(pp);
    note_execute(pp, gp, false);
    return gp;
  }
  if (sched.global_len.load(relaxed) == 0) return nullptr;
  kept_lock_scope hold(sched.lock);
  goroutine* gp = global_get(pp, global_share_max);
  if (gp != nullptr) note_execute(pp, gp, false);
  return gp;
}

}  // namespace

goroutine* pick_next(machine* mp, processor& pp) noexcept {
  goroutine* gp = pick_local(pp);
  if (gp != nullptr && (gp->flags & flag_unborn) != 0 && pp.free_stacks == nullptr) [[unlikely]] {
    // Making stacks takes system calls, and the goroutine that parks still holds the lock that its
    // commit releases: g0 makes them, after the commit.
    mp->picked = gp;
    return nullptr;
  }
  return gp;
}

namespace {

/// Half of the victim's ring, or (if asked) its next slot. Returns one to run.
goroutine* steal_from(processor& pp, processor& victim, bool take_next) noexcept {
  goroutine* gp = pp.queue.steal_half(victim.queue);
  if (gp != nullptr || !take_next) return gp;
  goroutine* seen = victim.queue.peek_next();
  if (seen == nullptr) return nullptr;
  if (victim.status.load(relaxed) == p_status::running) {
    for (int i = 0; i < arch::spin_rounds(next_hold_pauses); ++i) {
      arch::spin_hint();
      if (victim.queue.peek_next() != seen) return nullptr;
    }
  }
  return victim.queue.steal_next(seen) ? seen : nullptr;
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
    kept_lock_scope hold(sched.lock);
    if (goroutine* gp = global_get(pp, global_share_min); gp != nullptr) return gp;
  }
  if (goroutine* gp = pp.queue.take_next(); gp != nullptr) {
    inherits = true;
    return gp;
  }
  if (goroutine* gp = pp.queue.pop(); gp != nullptr) return gp;
  if (sched.global_len.load(relaxed) != 0) {
    kept_lock_scope hold(sched.lock);
    if (goroutine* gp = global_get(pp, global_share_max); gp != nullptr) return gp;
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
    kept_lock_scope hold(sched.lock);
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
  kept_lock_scope hold(sched.lock);
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
      // Robbed, and its goroutine has parked or ended: be useful as the poller, or sleep.
      forget_robbery(mp);
      if (!wait_in_netpoll(mp, earliest_timer())) stop_m(mp);
      continue;
    }
    int64_t now = 0;
    int64_t poll_until = no_timer;
    goroutine* gp = look_for_work(mp, inherits, now, poll_until);
    if (gp != nullptr) return gp;
    {
      kept_lock_scope hold(sched.lock);
      if (sched.stopping.load(relaxed) != 0) continue;
      gp = global_get(*mp->p, global_share_max);
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
    goroutine* gp = mp->picked;
    mp->picked = nullptr;
    if (gp == nullptr) {
      bool inherits = false;
      gp = find_runnable(mp, inherits);
      if (mp->spinning) stop_spinning_with_work(mp);
      note_execute(*mp->p, gp, inherits);
    }
    transfer(mp, nullptr, gp);
    // Back on g0 of the same thread; maybe without a P, when it was robbed and its goroutine
    // parked.
  }
}

}  // namespace weft::rt
