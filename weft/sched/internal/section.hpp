// SPDX-License-Identifier: Apache-2.0
// The door into the runtime. Whoever touches scheduler state does it inside a section; a thread in
// a section is never robbed of its P.
//
// Everything in sync/ and net/ is written against this header and timer_node.hpp, netpoll.hpp.
//
//   section s;                     leaf: never parks, never waits, also for guests and robbed M's
//   section s(may_park);           the call may park: a robbed M first gets a P again here, and a
//                                  preemption request is honoured here
//
// Sections do not nest (debug builds assert it). User code never runs inside one.
#pragma once

#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/thread_slot.hpp"
#include "weft/sched/internal/machine.hpp"

namespace weft::rt {

enum section_kind : uint8_t { leaf, may_park };

/// This thread's machine, or null if the runtime has never seen it. Re-read after every switch.
inline machine* this_machine() noexcept { return static_cast<machine*>(thread_slot()); }

/// True while weft::sim runs: fast paths that open no section call sim_point() then, so that the
/// schedule can be varied there too. Written while no goroutine runs.
extern bool sim_enabled;
/// A place where deterministic mode may run another goroutine. Needs no section; may park.
void sim_point() noexcept;
/// Not 0 while fast paths that open no section should call attend(): deterministic mode runs, or a
/// thread was asked for its P. So a goroutine that computes between short locks gives way by
/// itself; robbed, it would go on as one thread more, and contend for the lock. relaxed: a hint.
extern atomic<uint32_t> attention;
inline constexpr uint32_t attention_sim = 1;      // set while weft::sim runs
inline constexpr uint32_t attention_preempt = 2;  // set and cleared by retake()
/// Honours what attention asks of this thread, if anything. Needs no section; may park.
void attend() noexcept;
/// Faults that deterministic mode puts in, see sim::faults. Ask only while sim_enabled.
enum class sim_fault : uint8_t { readiness, short_io, timer_tie, allocation };
[[nodiscard]] bool sim_strikes(sim_fault what) noexcept;
/// A number below `bound` from the seed; 0 on a thread that does not take part.
[[nodiscard]] uint32_t sim_draw(uint32_t bound) noexcept;
/// Throws std::bad_alloc where the seed wants an allocation to fail.
void sim_allocation();

/// Makes a guest machine for this foreign thread.
machine* attach_guest() noexcept;
/// Slow half of section entry: preemption, robbery, guests, deterministic mode.
void enter_slow(machine* mp, section_kind kind) noexcept;
/// Gives up the processor at a section entry that may park, because somebody asked for it.
void honour_yield(machine* mp) noexcept;

#ifdef WEFT_DEBUG_BUILD
/// What runs inside a read section must not park: read_section.hpp.
inline void check_not_reading(const machine* mp, section_kind kind) noexcept {
  if (kind == may_park && mp->reading.word.load(relaxed) != 0) read_section_parked();
}
#else
inline void check_not_reading(const machine*, section_kind) noexcept {}
#endif

/// Enters the runtime; section is the usual way to say it.
inline void enter_section(section_kind kind) noexcept {
  machine* mp = this_machine();
  if (mp == nullptr) [[unlikely]]
    mp = attach_guest();
  WEFT_CHECK_SLOW(mp->in_rt.load(relaxed) == 0);  // sections do not nest
  check_not_reading(mp, kind);
  // Dekker with retake(): own flag, fence, the other's word. Partner: heavy_fence() in retake().
  mp->in_rt.store(1, relaxed);
  os::light_fence();
  if (mp->grant.load(relaxed) <= grant_slow_max) [[unlikely]]
    enter_slow(mp, kind);
  else if (kind == may_park && mp->want_yield) [[unlikely]]
    honour_yield(mp);
}

/// Enters a section that may park if nothing is asked of this thread: no preemption, no robbery, no
/// guest, not deterministic mode. False: not entered; enter_section() does it all. For fast paths.
[[nodiscard]] inline bool try_enter_section() noexcept {
  machine* mp = this_machine();
  if (mp == nullptr) [[unlikely]]
    return false;
  WEFT_CHECK_SLOW(mp->in_rt.load(relaxed) == 0);
  mp->in_rt.store(1, relaxed);
  os::light_fence();  // partner: as in enter_section()
  if (mp->grant.load(relaxed) > grant_slow_max && !mp->want_yield) [[likely]]
    return true;
  mp->in_rt.store(0, release);
  return false;
}

/// Enters a leaf section for the shortest paths, if this thread has a P, nothing is asked of it,
/// and light_fence() is free: inside, compiler_fence() is all of it. Null: not entered. Leave with
/// leave_section_on(the result); so the thread's word is read once.
[[nodiscard]] inline machine* try_enter_on_p() noexcept {
  machine* mp = this_machine();
  if (mp == nullptr || !os::membarrier_active) [[unlikely]]
    return nullptr;
  WEFT_CHECK_SLOW(mp->in_rt.load(relaxed) == 0);
  mp->in_rt.store(1, relaxed);
  compiler_fence();  // light_fence(), without asking again; partner: as in enter_section()
  if (mp->grant.load(relaxed) > grant_slow_max && !mp->want_yield) [[likely]]
    return mp;
  mp->in_rt.store(0, release);
  return nullptr;
}
inline void leave_section_on(machine* mp) noexcept {
  mp->in_rt.store(0, release);  // release: as in leave_section()
}

/// Leaves it, on the machine that is current now.
inline void leave_section() noexcept {
  // release: what this section wrote is visible to a retaker that reads 0 (retake(), acquire).
  this_machine()->in_rt.store(0, release);
}

class [[nodiscard]] section {
 public:
  explicit section(section_kind kind = leaf) noexcept { enter_section(kind); }
  ~section() { leave_section(); }
  section(const section&) = delete;
  section& operator=(const section&) = delete;
};

/// The goroutine that runs here (a guest's own cell on a foreign thread). Valid until a park only
/// as an identity: the cell does not move, but the thread may change. Needs a section.
inline goroutine* current() noexcept { return this_machine()->cur.load(relaxed); }

/// Parks the current goroutine (or blocks the guest's thread on a futex) until ready() is called
/// for it exactly once. Needs a section(may_park); returns inside that section, maybe on another
/// thread. `commit(gp, argument)` runs after the goroutine's registers are saved: it publishes the
/// goroutine, typically by releasing the lock of the queue it was put on. A waker may run ready()
/// from that moment on. commit == null: the caller has published it under a protocol of its own in
/// which no ready() can come before the park (none does; prefer a commit).
void park(park_commit commit, void* argument, wait_reason why, const void* on) noexcept;

/// Makes a parked goroutine runnable: next on this P, stealable soon; an idle thread is woken.
/// Needs a section. Never waits. Exactly one call per park.
void ready(goroutine* gp) noexcept;

/// Moves the current goroutine to the back of the queue and runs others. Needs section(may_park).
void yield_now() noexcept;

/// A pseudo-random number from this thread's generator (the seed's in deterministic mode). Needs a
/// section. Not for secrets.
uint32_t random_u32() noexcept;

/// CLOCK_MONOTONIC, or the virtual clock inside weft::sim. No section needed.
int64_t now_ns() noexcept;

/// True if spinning for a lock may help: several P's, and the current one has nothing queued.
/// Needs a section. `round` counts from 0; false from 4 on.
bool can_spin(int round) noexcept;

/// What the monitor calls about once a second on its own thread, which is inside the runtime for
/// ever: short, and without user code. Null: nothing. Written once.
extern atomic<void (*)(int64_t now) noexcept> every_second;

/// Starts a goroutine from inside the runtime (timers' functions and the like); `entry(closure)`
/// runs with no section. Not for user closures: weft::go is.
void start_goroutine(void (*entry)(void*), void* closure, const char* name) noexcept;
/// The same where that can wait. Null, or why there is no stack for it.
[[nodiscard]] const char* try_start_goroutine(void (*entry)(void*), void* closure,
                                              const char* name) noexcept;

}  // namespace weft::rt
