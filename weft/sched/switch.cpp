// SPDX-License-Identifier: Apache-2.0
// Leaving one stack for another: what travels with a goroutine (floating-point control words,
// errno, C++ exception globals, sanitizer fibers), and the commit that the next context runs.
//
// Order of a park: status is set, the commit is noted in the machine, registers are saved, the
// stack changes, and only then the commit publishes the goroutine. Whoever finds it may resume it
// at once, on any thread, because nothing of it runs any more.
//
// Rejected: committing before the switch with a "still switching" flag that wakers spin on (Boost,
// older Photon): a waker then waits for a thread that the kernel may have descheduled.
#include <cerrno>

#include "weft/base/held_locks.hpp"
#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

namespace {

// The eh-globals pointer and errno address are those of the thread, so both are taken from mp.
inline void leave_goroutine(machine* mp, goroutine* gp) noexcept {
  // blocking() ends with the goroutine's stay on this thread, whatever it called inside.
  mp->announced.store(0, relaxed);
  gp->saved_errno = static_cast<uint16_t>(*mp->errno_address);
  if (mp->exceptions->caught != nullptr || mp->exceptions->uncaught != 0) [[unlikely]] {
    gp->top->exceptions = *mp->exceptions;
    *mp->exceptions = exception_globals{};
    gp->flags |= flag_has_exceptions;
  }
}

inline void enter_goroutine(machine* mp, goroutine* gp, const arch::fp_control& now) noexcept {
  if (!gp->fp.same_settings(now)) [[unlikely]]
    arch::load_fp_control(gp->fp);
  *mp->errno_address = gp->saved_errno;
  if ((gp->flags & flag_has_exceptions) != 0) [[unlikely]] {
    *mp->exceptions = gp->top->exceptions;
    gp->flags &= static_cast<uint8_t>(~flag_has_exceptions);
  }
}

inline sanitizer::fiber& fiber_of(machine* mp, goroutine* gp) noexcept {
  return gp != nullptr ? gp->top->fiber : mp->g0_fiber;
}

inline __attribute__((always_inline)) void change_stack(machine* mp, goroutine* from, goroutine* to,
                                                        bool last) noexcept {
  arch::fp_control of_g0;
  arch::fp_control& now = from != nullptr ? from->fp : of_g0;
  arch::save_fp_control(now);
  if (from != nullptr) leave_goroutine(mp, from);
  if (to != nullptr) {
    if ((to->flags & flag_unborn) != 0) give_birth(to);
    enter_goroutine(mp, to, now);
  }
  uintptr_t* save = from != nullptr ? &from->sp : &mp->g0_sp;
  const uintptr_t load = to != nullptr ? to->sp : mp->g0_sp;
  mp->cur.store(to, relaxed);
  fiber_of(mp, from).leave_for(fiber_of(mp, to), last);
  if (to != nullptr) mp->thread_locals.forget();
  arch::switch_stacks(save, load);
}

}  // namespace

__attribute__((noinline)) void transfer(machine* mp, goroutine* from, goroutine* to) noexcept {
  if (held_locks() != 0 && from != nullptr) [[unlikely]]
    report_held_locks(from, false);
  change_stack(mp, from, to, false);
  // Another thread, maybe: nothing read before the switch is used but `from`, which is ours.
  fiber_of(this_machine(), from).resumed();
  finish_switch();
}

__attribute__((noinline)) void transfer_last(machine* mp, goroutine* from, goroutine* to) noexcept {
  if (held_locks() != 0) [[unlikely]]
    report_held_locks(from, true);
  change_stack(mp, from, to, true);
  bug("a goroutine that had ended was resumed");
}

__attribute__((noinline)) void finish_switch() noexcept {
  machine* mp = this_machine();
  park_commit commit = mp->commit;
  if (commit == nullptr) return;
  mp->commit = nullptr;
  goroutine* gp = mp->commit_g;
  if (commit(gp, mp->commit_argument)) return;
  // The commit found that there is nothing to wait for: run it again soon.
  if ((probes.now() & probe_trace) != 0) trace_ready(gp);
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  if (mp->sim)
    sim_ready(gp);
  else if (mp->p != nullptr)
    run_queue_put(*mp->p, gp, true);
  else
    global_put(gp), wake_p();
}

}  // namespace weft::rt

/// First C++ function of every goroutine. Not noexcept, and nothing here catches: an exception that
/// nobody handles must find the end of the stack, so that terminate() sees the whole of it.
extern "C" __attribute__((visibility("hidden"))) void weft_goroutine_start() {
  using namespace weft::rt;
  this_machine()->cur.load(relaxed)->top->fiber.begun();
  finish_switch();
  {
    machine* mp = this_machine();
    goroutine* gp = mp->cur.load(relaxed);
    mp->in_rt.store(0, release);  // leaves the section of whoever switched here
    if (mp->sim)
      sim_call(gp->top->entry, gp->top->closure);
    else
      gp->top->entry(gp->top->closure);
  }
  end_goroutine();
}
