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
// (pick_next), through g0 only when work must be searched for: one switch instead of two.
//
// Rejected: waking a thread for every ready() (thrashes), handing the P over directly to a woken
// thread (the waker then has none), one central queue (Boost's shared_work; contends).
#include <cstring>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

scheduler sched;
atomic<uint32_t> attention{0};

int64_t earliest_timer() noexcept {
  int64_t first = no_timer;
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i) {
    const int64_t when = sched.all_p[i]->timers.first_when.load(seq_cst);
    if (when < first) first = when;
  }
  return first;
}

uint64_t next_random(machine* mp) noexcept {
  // xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016).
  uint64_t x = mp->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  mp->random = x;
  return x * 0x2545f4914f6cdd1dULL;
}

void global_queue::initialize() noexcept {
  items_ =
      static_cast<goroutine**>(os::reserve_writable(size_t{goroutines_max} * sizeof(goroutine*)));
  if (items_ == nullptr)
    fatal("out of address space: 128 MiB for the run queue are refused (ulimit -v?)");
}

void global_queue::grow() noexcept {
  const uint32_t first = head_ & (capacity_ - 1);
  const uint32_t queued = count();
  WEFT_ASSERT(queued == capacity_ && capacity_ < goroutines_max);
  // What has wrapped around to the beginning moves behind the old end.
  std::memcpy(items_ + capacity_, items_, first * sizeof(goroutine*));
  capacity_ *= 2;
  head_ = first;
  tail_ = first + queued;
}

void global_put_list(g_list& list) noexcept {
  kept_lock_scope hold(sched.lock);
  while (goroutine* gp = list.pop_front()) sched.global.push_back(gp);
  sched.global_len.store(sched.global.count(), release);
}

void global_put(goroutine* gp) noexcept {
  kept_lock_scope hold(sched.lock);
  sched.global.push_back(gp);
  sched.global_len.store(sched.global.count(), release);
}

namespace {

__attribute__((noinline)) void queue_put_slow(processor& pp, goroutine* gp) noexcept {
  goroutine* batch[spill_len];
  for (;;) {
    const uint32_t count = pp.queue.spill(batch, spill_len);
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

}  // namespace

void run_queue_put(processor& pp, goroutine* gp, bool next) noexcept {
  if (next) {
    gp = pp.queue.exchange_next(gp, pp.alone);
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
    if (const uint32_t on = probes.now(); on != 0) [[unlikely]]
      probe_ready(gp, on, false);
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
    for (uint32_t i = 0; i < count && sched.idle_p_count.load(relaxed) != 0; ++i)
      start_m(nullptr, false);
    return;
  }
  while (goroutine* gp = list.pop_front()) run_queue_put(*pp, gp, false);
  wake_p();
}

void inject_first(goroutine* gp) noexcept {
  if (const uint32_t on = probes.now(); on != 0) [[unlikely]]
    probe_ready(gp, on, false);
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  {
    kept_lock_scope hold(sched.lock);
    sched.global.push_front(gp);
    sched.global_len.store(sched.global.count(), release);
  }
  fence(seq_cst);
  if (sched.idle_p_count.load(relaxed) != 0) start_m(nullptr, false);
}

// --- Ps ---

void acquire_p(machine* mp, processor* pp) noexcept {
  WEFT_ASSERT(mp->p == nullptr);
  mp->p = pp;
  mp->p_id = pp->id;
  heap_attach_cache(pp->cache);
  pp->m.store(mp, release);  // partner: retake(), which reads the machine's tid
  pp->status.store(p_status::running, relaxed);
  pp->tick.store(pp->tick.load(relaxed) + 1, relaxed);
  forget_robbery(mp);
  if ((probes.now() & probe_trace) != 0) [[unlikely]]
    trace_acquired(mp, pp);
  // release: partner is the CAS in retake(): who sees the grant sees the P as ours.
  mp->grant.store(reinterpret_cast<uintptr_t>(pp), release);
}

processor* release_p(machine* mp) noexcept {
  processor* pp = mp->p;
  WEFT_ASSERT(pp != nullptr);
  if ((probes.now() & probe_trace) != 0) [[unlikely]]
    trace_released(mp, pp);
  heap_detach_cache(pp->cache);
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
    kept_lock_scope hold(sched.lock);
    if (sched.stopping.load(relaxed) != 0) {
      note_stopped(pp);
      return;
    }
    if (sched.global.count() == 0) {
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
    kept_lock_scope hold(sched.lock);
    pp = sched.stopping.load(relaxed) == 0 ? idle_p_get(nullptr) : nullptr;
    if (pp == nullptr) sched.need_spinning.store(1, relaxed);
  }
  if (pp == nullptr) {
    sched.spinning.fetch_sub(1, seq_cst);
    return;
  }
  start_m(pp, true);
}

// --- what sync/ and net/ call ---

namespace {

[[gnu::always_inline]] inline void park_since(int64_t since_ns, park_commit commit, void* argument,
                                              wait_reason why, const void* on) noexcept {
  machine* mp = this_machine();
  goroutine* gp = mp->cur.load(relaxed);
  gp->reason = why;
  gp->wait_on = on;
  gp->since_ns = since_ns;
  // release: who sees it waiting (reports, tests) sees why; partner: get_status().
  gp->status.store(static_cast<uint32_t>(g_status::waiting), release);
  if (mp->is_guest) [[unlikely]] {
    guest_park(mp, commit, argument);
    return;
  }
  if constexpr (race_enabled)
    if (mp->sim) sim_blocks();
  mp->commit = commit;
  mp->commit_argument = argument;
  mp->commit_g = gp;
  goroutine* next = nullptr;
  if (processor* pp = mp->p; pp != nullptr && !mp->sim) [[likely]]
    next = pick_next(mp, *pp);
  transfer(mp, gp, next);
}

/// Somebody watches: the time is exact, and told afterwards.
__attribute__((noinline)) void park_watched(park_commit commit, void* argument, wait_reason why,
                                            const void* on) noexcept {
  const uint32_t watched = probes.now();
  if ((watched & probe_trace) != 0) trace_park(current(), why);
  const bool timed = (watched & (probe_block | probe_mutex)) != 0;
  const int64_t since = timed ? os::monotonic_ns() : sched.coarse_now.load(relaxed);
  park_since(since, commit, argument, why, on);
  const auto tell = probe_calls.blocked.load(acquire);
  if (timed && (probes.now() & probe_block) != 0 && tell != nullptr && !this_machine()->sim)
    tell(why, os::monotonic_ns() - since);
}

}  // namespace

void park(park_commit commit, void* argument, wait_reason why, const void* on) noexcept {
  if (probes.now() != 0) [[unlikely]]
    return park_watched(commit, argument, why, on);
  park_since(sched.coarse_now.load(relaxed), commit, argument, why, on);
}

namespace {

[[gnu::always_inline]] inline void make_ready(goroutine* gp, bool watched) noexcept {
  machine* mp = this_machine();
  if ((gp->flags & flag_guest) != 0) [[unlikely]] {
    guest_ready(gp);
    return;
  }
  // A watched one has its status already.
  WEFT_ASSERT(watched || gp->status.load(relaxed) == static_cast<uint32_t>(g_status::waiting));
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

__attribute__((noinline)) void ready_watched(goroutine* gp) noexcept {
  probe_ready(gp, probes.now(), false);
  make_ready(gp, true);
}

}  // namespace

void ready(goroutine* gp) noexcept {
  if (probes.now() != 0) [[unlikely]]
    return ready_watched(gp);
  make_ready(gp, false);
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
  if ((probes.now() & probe_trace) != 0) [[unlikely]]
    trace_stop(gp, commit == commit_yield_global);
  gp->reason = wait_reason::none;
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  mp->commit = commit;
  mp->commit_argument = nullptr;
  mp->commit_g = gp;
  goroutine* next = nullptr;
  if (processor* pp = mp->p; pp != nullptr && !mp->sim) next = pick_next(mp, *pp);
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

uint32_t random_u32() noexcept { return static_cast<uint32_t>(next_random(this_machine()) >> 32); }

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
