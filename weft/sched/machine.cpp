// SPDX-License-Identifier: Apache-2.0
// M's: worker threads and how they sleep; guests, the foreign threads that use the runtime; and the
// check that nothing can ever run again.
#include "weft/sched/internal/machine.hpp"

#include <cxxabi.h>

#include <cerrno>

#include "weft/base/panic.hpp"
#include "weft/base/settings.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/local.hpp"

namespace weft::rt {

namespace {

// g0 runs the scheduler, timers' functions and commits: a few KB. Larger only costs address space;
// signal handlers have stacks of their own.
inline constexpr size_t g0_stack_bytes = 256 * 1024;

// How long threads may be refused while nobody runs the goroutines that wait. Shorter gives up on a
// shortage that passes, longer hides one that does not.
inline constexpr int64_t refused_max_ns = 5'000'000'000;

/// M memory is type-stable: retakers, reports and debuggers may look at one whose thread has ended.
futex_mutex spare_lock{lock_rank::leaf};
machine* spare_machines = nullptr;

machine* make_machine() noexcept {
  {
    kept_lock_scope hold(spare_lock);
    if (spare_machines != nullptr) {
      machine* mp = spare_machines;
      spare_machines = mp->link;
      mp->link = nullptr;
      mp->is_guest = false;
      mp->want_yield = false;
      mp->old_p = nullptr;
      mp->trace_in_call = false;
      mp->guest_top = goroutine_top{};
      return mp;
    }
  }
  void* memory = os::reserve_writable(sizeof(machine));
  if (memory == nullptr)
    fatal("out of address space: a thread's record is refused (ulimit -v? vm.max_map_count?)");
  auto* mp = new (memory) machine{};
  mp->id = sched.next_machine_id.fetch_add(1, relaxed);
  machine* head = sched.all_machines.load(relaxed);
  do {
    mp->all_link = head;
  } while (!sched.all_machines.compare_exchange(head, mp, acq_rel, relaxed));
  return mp;
}

/// What only the thread itself can fill in. `runtime`: it runs no user code on its own stack.
void adopt_thread(machine* mp, bool runtime) noexcept {
  mp->tid = os::thread_id();
  mp->exceptions = reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
  mp->errno_address = &errno;
  mp->random = 0x9e3779b97f4a7c15ULL * (mp->id + 1) ^ static_cast<uint64_t>(os::monotonic_ns());
  if (mp->random == 0) mp->random = 1;
  mp->g0_fiber.adopt_thread(runtime);
  mp->thread_locals.find();
  set_thread_slot(mp);
  if (thread_probes.now() != 0) probe_calls.thread_begins.load(acquire)();
}

void machine_main(void* argument) {
  auto* mp = static_cast<machine*>(argument);
  mp->in_rt.store(1, relaxed);
  adopt_thread(mp, true);
  prepare_signal_stack();
  if (processor* pp = mp->next_p; pp != nullptr) {
    mp->next_p = nullptr;
    acquire_p(mp, pp);
  }
  schedule_loop(mp);
}

/// Undoes what start_m was asked for when no thread can be had; `error` is start_thread_for()'s.
void give_up_start(processor* pp, bool spinning, int error) noexcept {
  if (spinning) sched.spinning.fetch_sub(1, seq_cst);
  kept_lock_scope hold(sched.lock);
  g_list rest;
  while (goroutine* gp = pp->queue.take_next()) rest.push_back(gp);
  while (goroutine* gp = pp->queue.pop()) rest.push_back(gp);
  while (goroutine* gp = rest.pop_front()) sched.global.push_back(gp);
  sched.global_len.store(sched.global.count(), release);
  // Whoever stops the world waits for this P, too: it would not be found on the idle list any more.
  if (sched.stopping.load(relaxed) != 0)
    note_stopped(pp);
  else
    idle_p_put(pp);
  // The monitor tries again: the caller may have been the last one who could. After the work is
  // visible: it forgets who has none.
  sched.refused_errno.store(error, relaxed);
  if (sched.refused_since.load(relaxed) == 0)
    sched.refused_since.store(os::monotonic_ns(), release);
}

/// 0 or an errno. Fatal at the limit, as in Go: threads that all block and never come back are a
/// leak, and a process that went on without replacing them would stand still and not say why.
int start_thread_for(processor* pp, bool spinning) noexcept {
  const int most = process_settings().max_threads;
  if (sched.machine_count.fetch_add(1, relaxed) >= most) {
    fatal(
        "thread exhaustion: all %d threads that WEFT_MAXTHREADS allows are in use; calls that "
        "block keep one each (weft::semaphore limits them)",
        most);
  }
  machine* mp = make_machine();
  mp->spinning = spinning;
  mp->next_p = pp;
  int64_t since = sched.refused_since.load(relaxed);
  const int error = os::start_thread(machine_main, mp, g0_stack_bytes, "weft");
  if (error == 0) {
    // The time begins anew. Only the monitor forgets it: the new thread may have run, blocked and
    // been refused another one by now.
    if (since != 0)
      (void)sched.refused_since.compare_exchange(since, os::monotonic_ns(), relaxed, relaxed);
    return 0;
  }
  sched.machine_count.fetch_sub(1, relaxed);
  mp->next_p = nullptr;
  mp->spinning = false;
  kept_lock_scope hold(spare_lock);
  mp->link = spare_machines;
  spare_machines = mp;
  return error;
}

}  // namespace

/// sysmon: a thread of ours without a P, for ever inside the runtime.
void adopt_system_thread() noexcept {
  machine* mp = make_machine();
  mp->in_rt.store(1, relaxed);
  adopt_thread(mp, true);
}

/// sim::run: the calling thread becomes the machine of the world, made once.
machine* adopt_sim_thread(machine* mp) noexcept {
  refuse_forked_child();
  if (mp == nullptr) mp = make_machine();
  adopt_thread(mp, false);
  prepare_signal_stack();
  return mp;
}

void start_m(processor* pp, bool spinning) noexcept {
  machine* mp = nullptr;
  {
    kept_lock_scope hold(sched.lock);
    if (pp == nullptr) {
      pp = sched.stopping.load(relaxed) == 0 ? idle_p_get(nullptr) : nullptr;
      if (pp == nullptr) {
        if (spinning) sched.spinning.fetch_sub(1, seq_cst);
        return;
      }
    }
    mp = sched.idle_m;
    if (mp != nullptr) {
      sched.idle_m = mp->link;
      mp->link = nullptr;
      --sched.idle_m_count;
      mp->spinning = spinning;
      mp->next_p = pp;
    }
  }
  if (mp == nullptr) {
    if (const int error = start_thread_for(pp, spinning); error != 0)
      give_up_start(pp, spinning, error);
    return;
  }
  // release: next_p and spinning become visible; partner: the acquire in stop_m().
  mp->park_word.store(1, release);
  os::futex_wake(mp->park_word, 1);
}

void retry_refused_start(int64_t now) noexcept {
  const int64_t since = sched.refused_since.load(acquire);  // partner: give_up_start()
  if (since == 0) return;
  if (sched.global_len.load(relaxed) == 0) {
    // Under the lock, as it is set: one that is refused just now, with work, is not forgotten.
    kept_lock_scope hold(sched.lock);
    if (sched.global.count() == 0) sched.refused_since.store(0, relaxed);
    return;
  }
  if (sched.idle_p_count.load(relaxed) == 0) return;
  start_m(nullptr, false);
  if (now - since < refused_max_ns || sched.refused_since.load(relaxed) != since) return;
  // Some P is still held: its goroutines go on, and may be what ends the shortage.
  if (sched.idle_p_count.load(relaxed) != sched.procs.load(acquire)) return;
  fatal(
      "no thread for %d goroutines that wait: %d threads, pthread_create says errno %d for 5 s; "
      "raise ulimit -u, the cgroup's pids.max or ulimit -v",
      sched.global_len.load(relaxed), sched.machine_count.load(relaxed),
      sched.refused_errno.load(relaxed));
}

void stop_m(machine* mp) noexcept {
  WEFT_ASSERT(mp->p == nullptr && !mp->spinning);
  heap_drop_cache();
  {
    kept_lock_scope hold(sched.lock);
    mp->park_word.store(0, relaxed);
    mp->link = sched.idle_m;
    sched.idle_m = mp;
    ++sched.idle_m_count;
  }
  check_dead();
  while (mp->park_word.load(acquire) == 0) os::futex_wait(mp->park_word, 0, -1);
  processor* pp = mp->next_p;
  mp->next_p = nullptr;
  WEFT_ASSERT(pp != nullptr);
  acquire_p(mp, pp);
}

// --- deadlock ---

namespace {

/// True if no goroutine can run and nothing that Weft knows of can wake one.
///
/// Under the lock no idle M leaves its list and no guest queues a goroutine. So once all Ms are
/// idle and all guests parked, only timers, the network and sysmon can change anything. Hence the
/// order: guests first (one that runs may arm a timer, wait for I/O, and park), then what may wake
/// somebody; the waiters before `injecting`, which sysmon raises before it takes them out; guests
/// again, for those that it woke.
bool all_asleep() noexcept WEFT_REQUIRES(sched.lock) {
  if (sched.run_callers.load(relaxed) == 0 || sched.main_done.load(seq_cst) != 0) return false;
  if (sched.stopping.load(relaxed) != 0) return false;
  if (sched.idle_m_count != sched.machine_count.load(relaxed)) return false;
  if (sched.idle_p_count.load(relaxed) != sched.procs.load(acquire)) return false;
  const uint64_t guests = sched.guests.load(seq_cst);
  if (guests / one_guest != guests % one_guest) return false;
  if (sched.global.count() != 0) return false;
  const uint32_t procs = sched.procs.load(acquire);
  for (uint32_t i = 0; i < procs; ++i) {
    const processor& pp = *sched.all_p[i];
    if (!pp.queue.empty() || pp.timers.first_when.load(relaxed) != no_timer) return false;
  }
  if (netpoll_waiters() != 0 || sched.injecting.load(seq_cst) != 0) return false;
  return sched.guests.load(seq_cst) == guests;
}

}  // namespace

void check_dead() noexcept {
  {
    kept_lock_scope hold(sched.lock);
    if (!all_asleep()) return;
  }
  // A thread that Weft has never seen may still call it some day: then this is no proof.
  const int known = sched.machine_count.load(relaxed) + 1 /* sysmon */ + heap_threads() +
                    sched.quiet_threads.load(relaxed) +
                    static_cast<int>(sched.guests.load(relaxed) / one_guest) +
                    sanitizer::own_threads;
  const int there = os::thread_count();
  if (there < 0 || there > known) return;
  {
    kept_lock_scope hold(sched.lock);
    if (!all_asleep()) return;
  }
  fatal("all goroutines are asleep - deadlock!");
}

// --- forks ---
// A child has the thread that called fork() and no other: not the ones that hold our locks, our Ps
// or the other goroutines. It may call exec and _exit. Whatever of Weft it uses would wait for
// ever, so it dies at the door: its thread has no P, and a thread without one takes the slow path.

namespace {

void mark_forked_child() {
  sched.forked.store(1, relaxed);
  if (machine* mp = this_machine(); mp != nullptr) mp->grant.store(grant_none, relaxed);
}

}  // namespace

void watch_forks() noexcept {
  if (os::on_fork_in_child(mark_forked_child) != 0)
    fatal("out of memory: pthread_atfork is refused");
}

void refuse_forked_child() noexcept {
  if (sched.forked.load(relaxed) == 0) return;
  fatal(
      "weft used in the child of a fork(): it has only the thread that forked; call exec or "
      "_exit there, or use posix_spawn");
}

// --- guests ---

namespace {

void detach_guest(void* argument) noexcept {
  auto* mp = static_cast<machine*>(argument);
  if (!mp->is_guest) return;
  destroy_locals(mp->guest_top);
  if ((mp->guest_cell.flags & flag_labels) != 0) drop_labels(&mp->guest_cell);
  release_signal_stack(mp);
  set_thread_slot(nullptr);
  sched.guests.fetch_sub(one_guest, seq_cst);
  mp->guest_cell.status.store(static_cast<uint32_t>(g_status::dead), relaxed);
  mp->cur.store(nullptr, relaxed);
  kept_lock_scope hold(spare_lock);
  mp->link = spare_machines;
  spare_machines = mp;
}

}  // namespace

machine* attach_guest() noexcept {
  refuse_forked_child();
  machine* mp = make_machine();
  mp->is_guest = true;
  mp->grant.store(grant_none, relaxed);
  mp->guest_cell.id = 0;
  mp->guest_cell.flags = flag_guest | flag_system;
  mp->guest_cell.top = &mp->guest_top;
  mp->guest_cell.status.store(static_cast<uint32_t>(g_status::guest), relaxed);
  mp->guest_top.cell = &mp->guest_cell;
  sched.guests.fetch_add(one_guest, seq_cst);
  adopt_thread(mp, false);
  prepare_signal_stack();
  mp->cur.store(&mp->guest_cell, relaxed);
  on_thread_exit([](void* slot) { detach_guest(slot); });
  return mp;
}

void guest_park(machine* mp, park_commit commit, void* argument) noexcept {
  mp->park_word.store(0, relaxed);
  // Nothing runs on a stack of ours: publishing first is safe, the waker only sets park_word.
  if (commit != nullptr && !commit(&mp->guest_cell, argument)) {
    mp->guest_cell.status.store(static_cast<uint32_t>(g_status::guest), relaxed);
    return;
  }
  // Only now: a guest whose commit finds nothing to wait for runs on, and must not look asleep.
  sched.guests.fetch_add(one_guest_parked, seq_cst);
  if (netpoll_waiters() != 0 && sched.last_poll.load(seq_cst) != 0) wake_p();
  check_dead();
  while (mp->park_word.load(acquire) == 0) os::futex_wait(mp->park_word, 0, -1);
  mp->guest_cell.status.store(static_cast<uint32_t>(g_status::guest), relaxed);
}

void guest_ready(goroutine* gp) noexcept {
  auto* mp = reinterpret_cast<machine*>(reinterpret_cast<char*>(gp) -
                                        __builtin_offsetof(machine, guest_cell));
  // Before the wake-up: between it and the guest's next step the process must not look dead.
  sched.guests.fetch_sub(one_guest_parked, seq_cst);
  mp->park_word.store(1, release);  // partner: the acquire in guest_park()
  os::futex_wake(mp->park_word, 1);
}

}  // namespace weft::rt
