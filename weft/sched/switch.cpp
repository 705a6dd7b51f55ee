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

#if WEFT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#define WEFT_NO_TSAN __attribute__((no_sanitize("thread"), noinline))
#else
#define WEFT_NO_TSAN __attribute__((noinline))
#endif

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

#if WEFT_ASAN
inline void sanitizer_start(machine* mp, goroutine* from, goroutine* to, bool last) noexcept {
  void** save = from != nullptr ? &from->top->asan_fake_stack : &mp->g0_asan_fake_stack;
  const void* lo =
      to != nullptr ? reinterpret_cast<const void*>(to->top->stack_lo) : mp->g0_stack_lo;
  const size_t bytes = to != nullptr ? to->top->stack_hi - to->top->stack_lo : mp->g0_stack_bytes;
  // null: the fake stack of a goroutine that ends is destroyed, else it would leak.
  __sanitizer_start_switch_fiber(last ? nullptr : save, lo, bytes);
}
inline void sanitizer_finish(machine* mp, goroutine* self) noexcept {
  void* fake = self != nullptr ? self->top->asan_fake_stack : mp->g0_asan_fake_stack;
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}
#elif WEFT_TSAN
inline void sanitizer_start(machine* mp, goroutine*, goroutine* to, bool) noexcept {
  __tsan_switch_to_fiber(to != nullptr ? to->top->tsan_fiber : mp->g0_tsan_fiber, 0);
}
inline void sanitizer_finish(machine*, goroutine*) noexcept {}
#else
inline void sanitizer_start(machine*, goroutine*, goroutine*, bool) noexcept {}
inline void sanitizer_finish(machine*, goroutine*) noexcept {}
#endif

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
  sanitizer_start(mp, from, to, last);
  arch::switch_stacks(save, load);
}

}  // namespace

WEFT_NO_TSAN void transfer(machine* mp, goroutine* from, goroutine* to) noexcept {
  if (held_locks() != 0 && from != nullptr) [[unlikely]]
    report_held_locks(from, false);
  change_stack(mp, from, to, false);
  // Another thread, maybe: nothing read before the switch is used but `from`, which is ours.
  sanitizer_finish(this_machine(), from);
  finish_switch();
}

WEFT_NO_TSAN void transfer_last(machine* mp, goroutine* from, goroutine* to) noexcept {
  if (held_locks() != 0) [[unlikely]]
    report_held_locks(from, true);
  change_stack(mp, from, to, true);
  bug("a goroutine that had ended was resumed");
}

WEFT_NO_TSAN void finish_switch() noexcept {
  machine* mp = this_machine();
  park_commit commit = mp->commit;
  if (commit == nullptr) return;
  mp->commit = nullptr;
  goroutine* gp = mp->commit_g;
  if (commit(gp, mp->commit_argument)) return;
  // The commit found that there is nothing to wait for: run it again soon.
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  if (mp->sim)
    sim_ready(gp);
  else if (mp->p != nullptr)
    run_queue_put(*mp->p, gp, true);
  else
    global_put(gp), wake_p();
}

#if WEFT_TSAN
void fiber_create(goroutine* gp) noexcept { gp->top->tsan_fiber = __tsan_create_fiber(0); }
void fiber_destroy(goroutine* gp) noexcept {
  if (gp->top->tsan_fiber != nullptr) __tsan_destroy_fiber(gp->top->tsan_fiber);
  gp->top->tsan_fiber = nullptr;
}
void fiber_adopt_thread(machine* mp) noexcept { mp->g0_tsan_fiber = __tsan_get_current_fiber(); }
#else
void fiber_create(goroutine*) noexcept {}
void fiber_destroy(goroutine*) noexcept {}
void fiber_adopt_thread(machine*) noexcept {}
#endif

}  // namespace weft::rt

/// First C++ function of every goroutine. Not noexcept, and nothing here catches: an exception that
/// nobody handles must find the end of the stack, so that terminate() sees the whole of it.
extern "C" __attribute__((visibility("hidden"))) void weft_goroutine_start() {
  using namespace weft::rt;
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
  // The last frames of whoever had this stack before never returned: their redzones are still
  // there.
  const uintptr_t stack_lo = this_machine()->cur.load(relaxed)->top->stack_lo;
  __asan_unpoison_memory_region(reinterpret_cast<void*>(stack_lo),
                                reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) - stack_lo);
#endif
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
