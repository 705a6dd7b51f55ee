// SPDX-License-Identifier: Apache-2.0
// The scheduler's one global and the functions its files share. For sched/ only (reports and the
// debug root read it too); sync/ and net/ use section.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/futex_mutex.hpp"
#include "weft/heap/internal/cache_owner.hpp"
#include "weft/sched/internal/global_queue.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/internal/processor.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft {
struct go_options;  // sched/go.hpp
}

namespace weft::rt {

inline constexpr uint32_t procs_max = 1024;
/// Cells are 64 bytes of reserved address space each: 1 GiB, committed as used.
inline constexpr uint32_t goroutines_max = 16u << 20;

struct scheduler {
  futex_mutex lock{lock_rank::sched};
  // --- under lock --------------------------------------------------------------------------
  processor* idle_p = nullptr;
  machine* idle_m = nullptr;
  global_queue global;
  int32_t idle_m_count = 0;
  int32_t stop_wait = 0;  // Ps that have not stopped yet
  // --- written under lock, read by anyone ----------------------------------------------------
  alignas(64) atomic<uint32_t> global_len{0};
  atomic<uint32_t> idle_p_count{0};
  atomic<uint32_t> stopping{0};  // stop-the-world asked for, or the world stands still
  // --- anyone ----------------------------------------------------------------------------------
  alignas(64) atomic<uint32_t> spinning{0};
  atomic<uint32_t> need_spinning{0};
  alignas(64) atomic<int64_t> last_poll{0};  // 0: a thread waits in netpoll
  atomic<int64_t> poll_until{0};             // until when it waits; 0: without limit
  atomic<int64_t> coarse_now{0};             // refreshed by sysmon and by whoever reads a clock
  atomic<uint32_t> procs{0};
  atomic<uint32_t> stop_note{0};           // futex: stop_wait reached 0
  atomic<machine*> all_machines{nullptr};  // through all_link; only grows
  atomic<int32_t> machine_count{0};        // worker threads alive, sysmon not counted
  atomic<int32_t> quiet_threads{0};        // of ours, which wake nobody whom the deadlock check
                                           // counts on (quiet_wait.cpp)
  atomic<uint32_t> next_machine_id{0};
  /// Foreign threads: attached ones in the upper half, parked ones in the lower, so that one load
  /// tells whether all are. A waker may count a guest out before it has counted itself in.
  atomic<uint64_t> guests{0};
  atomic<int32_t> run_callers{0};  // 1 while weft::run or a sim is active
  atomic<uint32_t> main_done{0};   // the main goroutine has returned
  atomic<uint64_t> ids{1};
  atomic<int64_t> created_without_p{0};  // goroutines made or ended by guests, net
  atomic<uint32_t> cells_used{0};
  goroutine* cells = nullptr;
  birth_record* births = nullptr;  // births[i] belongs to cells[i]
  processor* all_p[procs_max] = {};
  atomic<uint32_t> p_made{0};     // all_p[0..p_made) exist
  atomic<uint32_t> injecting{0};  // sysmon holds goroutines it took from netpoll
  // --- sysmon ---------------------------------------------------------------------------------
  atomic<uint32_t> sysmon_sleeps{0};       // futex: 1 while it naps, 2 while it sleeps deeply
  atomic<uint32_t> blocking_announced{0};  // somebody entered blocking() while it slept
  futex_mutex retake_lock{lock_rank::retake};
  atomic<uint64_t> retakes{0};
  atomic<uint64_t> reclaims{0};
  atomic<int32_t> robbed_computing{0};
  atomic<int32_t> robbed_blocked{0};
  // Since when threads are refused while goroutines wait (0: they are not), and the last errno.
  // Set, and forgotten by sysmon when nobody waits, under `lock`; a start that succeeds moves it.
  atomic<int64_t> refused_since{0};
  atomic<int32_t> refused_errno{0};
  size_t stack_bytes = 0;  // default slot size
  int64_t started_ns = 0;  // when the runtime began; written once
  // 1 in the child of a fork(), whose only thread it is written and read by.
  atomic<uint32_t> forked{0};
};
extern scheduler sched;

inline constexpr uint64_t one_guest = uint64_t{1} << 32;
inline constexpr uint64_t one_guest_parked = 1;

// --- goroutine.cpp ---
/// A dead goroutine with a stack of at least `stack_bytes` (0: default). Needs a section. Null and
/// a text in `why` when there is none to be had.
goroutine* take_goroutine(size_t stack_bytes, const char*& why) noexcept;
/// Once, after the cells are there.
void initialize_births() noexcept;
/// A goroutine without a stack, which gets one when it first runs; null while stacks are scarce
/// (stack_supply_ample()), for then the spawner must learn that there is none. Needs a section.
goroutine* take_unborn() noexcept;
inline birth_record& birth_of(const goroutine* gp) noexcept {
  return sched.births[gp - sched.cells];
}
/// Attaches a stack to a goroutine that is about to run for the first time. Needs a section and a
/// P; unless that has a warm stack it makes system calls, so on g0 then.
void give_birth(goroutine* gp) noexcept;
/// Gives a goroutine that never ran, or has ended, back. Needs a section.
void give_goroutine(goroutine* gp) noexcept;
/// Gives it an id and makes it runnable. Needs a section.
void submit_goroutine(goroutine* gp) noexcept;
/// A new goroutine in the state of one that waits: ready() or inject() make it run
/// `entry(&copy_of_argument)`. Fatal when there is none to be had. Needs a section.
goroutine* take_waiting(void (*entry)(void*), void* argument, const arch::fp_control& fp) noexcept;
/// The last thing a goroutine does; runs destructors of goroutine-local values first.
[[noreturn]] void end_goroutine();
/// For reports: cell `index` of cells_used.
inline goroutine* all_goroutine(uint32_t index) noexcept { return &sched.cells[index]; }
inline uint32_t goroutine_cells() noexcept { return sched.cells_used.load(acquire); }
/// Counts goroutines that have started and not ended, guests and system ones excluded.
uint64_t count_goroutines() noexcept;
/// World stopped: a P's free stacks and cells go to the pools.
void flush_free_lists(processor& pp) noexcept;

// --- warm_stacks.cpp ---
/// The top of a stack of at least `stack_bytes` (0: default) that no goroutine has. Needs a
/// section. Null and a text in `why` when there is none to be had.
goroutine_top* take_stack(size_t stack_bytes, const char*& why) noexcept;
/// Needs a section.
void give_stack(goroutine_top* top) noexcept;
/// Gives cold stacks back to the kernel, a few a call. Called by sysmon.
void trim_stacks(int64_t now) noexcept;
void flush_free_stacks(processor& pp) noexcept;

// --- go.cpp ---
/// A goroutine with a stack and a name, its closure still to be set. Panics when there is no stack.
goroutine* begin_born(const go_options& options, uintptr_t creation_pc);

// --- switch.cpp ---
/// Leaves `from` (null: g0 of this thread) for `to` (null: g0). Returns when `from` is resumed,
/// after the commit of whoever switched to it. Needs a section.
void transfer(machine* mp, goroutine* from, goroutine* to) noexcept;
/// As transfer(), but `from` is never resumed.
[[noreturn]] void transfer_last(machine* mp, goroutine* from, goroutine* to) noexcept;
/// First thing on a new goroutine's stack, and after every switch.
void finish_switch() noexcept;

// --- proc.cpp ---
void run_queue_put(processor& pp, goroutine* gp, bool next) noexcept;
void global_put(goroutine* gp) noexcept;
void global_put_list(g_list& list) noexcept;
/// Starts or wakes a thread to look for work, if a P is idle and nobody is looking.
void wake_p() noexcept;
/// The same when the work was published by a seq_cst operation (run_queue_put with `next`).
void wake_p_published() noexcept;
void acquire_p(machine* mp, processor* pp) noexcept;
processor* release_p(machine* mp) noexcept;
/// Idle list; need sched.lock.
void idle_p_put(processor* pp) noexcept WEFT_REQUIRES(sched.lock);
processor* idle_p_get(processor* preferred) noexcept WEFT_REQUIRES(sched.lock);
/// A P that was taken from somebody finds a thread or becomes idle.
void hand_off_p(processor* pp) noexcept;
/// When the first timer of any P is due, or no_timer.
int64_t earliest_timer() noexcept;
/// The next number of this machine's generator.
uint64_t next_random(machine* mp) noexcept;
// --- find.cpp ---
/// The scheduler's loop on g0; never returns for worker threads.
[[noreturn]] void schedule_loop(machine* mp) noexcept;
/// Picks what to run from the P at hand, without leaving the stack; null: ask g0 (which finds in
/// machine::picked what has been picked already).
goroutine* pick_next(machine* mp, processor& pp) noexcept;
inline void note_execute(processor& pp, goroutine* gp, bool inherits_slice) noexcept {
  if ((probes.now() & probes_of_running) != 0) [[unlikely]]
    probe_execute(gp);
  gp->status.store(static_cast<uint32_t>(g_status::running), relaxed);
  // A goroutine from the next slot shares its waker's time slice: else two that wake each other
  // would never look like hogs and starve the rest of the ring.
  if (!inherits_slice) pp.tick.store(pp.tick.load(relaxed) + 1, relaxed);
}
/// Makes every goroutine in `list` (status waiting) runnable.
void inject(g_list& list) noexcept;
/// The same of one that goes before all others: for the runtime's own. From a thread without a P.
void inject_first(goroutine* gp) noexcept;

// --- machine.cpp ---
/// sysmon: a thread of ours without a P, for ever inside the runtime.
void adopt_system_thread() noexcept;
/// Runs `pp` (null: any idle one) on an idle or new thread.
void start_m(processor* pp, bool spinning) noexcept;
/// sysmon: tries again what start_m was refused while goroutines wait, and ends the process if that
/// does not help and nobody runs.
void retry_refused_start(int64_t now) noexcept;
/// From now on the child of a fork() that uses the runtime dies and says why.
void watch_forks() noexcept;
/// What goroutines left behind refer to is no leak (AddressSanitizer builds only). Once.
void watch_leaks() noexcept;
/// Slow paths call it: every use of the runtime in a forked child comes by one.
void refuse_forked_child() noexcept;
/// Parks this thread on the idle list until it is given a P.
void stop_m(machine* mp) noexcept;
/// Reports a deadlock if nothing can ever run again. Takes sched.lock.
void check_dead() noexcept;
void guest_park(machine* mp, park_commit commit, void* argument) noexcept;
void guest_ready(goroutine* gp) noexcept;

// --- retake.cpp ---
/// One round: posts requests, one heavy fence, robs. Returns how many Ps were taken.
int retake(int64_t now) noexcept;
/// The machine runs no user code without a P any more: it counts as robbed no longer.
void forget_robbery(machine* mp) noexcept;
/// True: nobody runs but the caller. `during_run`: gives up, false, once weft::run has ended.
bool stop_the_world(bool during_run = false) noexcept;
/// A P that nobody holds counts as stopped. While the world stops.
void note_stopped(processor* pp) noexcept WEFT_REQUIRES(sched.lock);
void start_the_world(uint32_t procs) noexcept;
/// A thread gives its P to whoever stops the world. Needs a section; from g0 only.
void surrender_p(machine* mp) noexcept;

// --- run.cpp ---
/// Makes the global structures on first use, and the monitor thread if asked for.
void initialize_runtime(bool with_monitor);
// --- sysmon.cpp ---
void start_sysmon() noexcept;
void wake_sysmon() noexcept;
// --- schedtrace.cpp ---
void print_schedtrace(bool detailed) noexcept;
// --- sim.cpp ---
int64_t sim_now() noexcept;
void sim_ready(goroutine* gp) noexcept;
/// The current goroutine parks or ends: what it did so far happens before sim::wait() and run()
/// return.
void sim_blocks() noexcept;
void sim_enter(machine* mp, section_kind kind) noexcept;
/// Runs a goroutine's body and notes an exception as the world's failure.
void sim_call(void (*entry)(void*), void* closure) noexcept;
uint64_t sim_goroutines() noexcept;
/// In a report of death: which seed it was.
void sim_note_death(int fd) noexcept;
/// sim::run's thread becomes the machine `mp` (null: a new one).
machine* adopt_sim_thread(machine* mp) noexcept;
// --- held_report.cpp ---
/// Tells that `gp` leaves its stack while it holds locks of the C library (debug builds).
void report_held_locks(const goroutine* gp, bool ends) noexcept;
void watch_locks() noexcept;
// --- report.cpp, signals.cpp ---
void install_reports() noexcept;
/// Gives this thread, whose machine is made, an alternate signal stack if it has none.
void prepare_signal_stack() noexcept;
/// A guest's thread ends.
void release_signal_stack(machine* mp) noexcept;

inline void refresh_coarse(int64_t now) noexcept { sched.coarse_now.store(now, relaxed); }

}  // namespace weft::rt
