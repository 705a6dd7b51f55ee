// SPDX-License-Identifier: Apache-2.0
// Recording for execution traces: what happens to goroutines and Ps, as events of Go's format
// (spec/go-trace.md §4), in a buffer for each thread. observe/trace makes files of the buffers.
//
// Time is cut into generations, which are numbered through the life of the process. Each thread has
// two buffers, one for even generations and one for odd ones, and appends only inside a *window*:
//
//   thread:   seq = odd; light_fence; g = generation; append, change status; seq = even
//   advancer: (world stopped) generation = g + 1; heavy_fence; wait for each seq that is odd
//
// So once the windows that were open have closed, everything of generation g is written, and
// nobody but the advancer touches its buffers. The status of a goroutine changes inside the same
// window as its event: at the boundary the two agree.
//
// The reader of a trace wants a status of each goroutine and P in every generation, before its
// first event there. While the world is stopped the advancer writes those of all (trace_advance).
// What runs without a P meanwhile may write events still: so each goroutine's *entry* (generation,
// sequence number, state as the reader knows it) is claimed for a generation by a CAS, and whoever
// wins writes the status, from the entry's state. An entry is otherwise changed only by who owns
// the goroutine's transition, as its status is.
//
// No event is written that the entry's state does not allow. A thread that read `probes` before the
// trace began may change a status unseen; the next event of that goroutine finds the entry behind
// and writes what is missing first.
//
// A retake is a steal of a P in a system call (spec §6): the robber writes the victim's
// GoSyscallBegin into the victim's buffer. It may: between `robbing` and `none` in machine::grant
// the victim is outside the runtime and cannot get in.
//
// Rejected: statuses at first mention only, as Go has them for goroutines that do something (a
// recorder that forgets old generations needs all anyway); a lock for each buffer (an atomic
// exchange per event).
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/base/atomic.hpp"
#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

struct machine;
struct processor;

/// Numbers of events, arguments in the order of the format.
enum class trace_event : uint8_t {
  procs_change = 9,
  proc_start = 10,
  proc_stop = 11,
  proc_steal = 12,
  proc_status = 13,
  go_create = 14,
  go_start = 16,
  go_destroy = 17,
  go_destroy_syscall = 18,
  go_stop = 19,
  go_block = 20,
  go_unblock = 21,
  go_syscall_begin = 22,
  go_syscall_end = 23,
  go_syscall_end_blocked = 24,
  go_status = 25,
  heap_alloc = 37,
  user_task_begin = 40,
  user_task_end = 41,
  user_region_begin = 42,
  user_region_end = 43,
  user_log = 44,
};

/// Fixed numbers of strings in every generation: reasons, by `trace_reason + wait_reason`, and why
/// a goroutine stopped. Others begin at trace_strings_free.
inline constexpr uint64_t trace_reason = 1;
inline constexpr uint64_t trace_stopped_by_yield = 100;
inline constexpr uint64_t trace_stopped_by_preemption = 101;
inline constexpr uint64_t trace_strings_free = 128;
[[nodiscard]] std::string_view trace_reason_text(wait_reason why) noexcept;

/// Time of a trace, from its beginning: the CPU's ticks by 32, which is some 10 ns, where all CPUs
/// agree on them, else nanoseconds by 64, as Go.
[[nodiscard]] uint64_t trace_now() noexcept;

/// A batch: events of one thread in one generation.
struct trace_buffer {
  static constexpr size_t bytes_max = (size_t{64} << 10) - 64;
  trace_buffer* next = nullptr;
  uint64_t thread = 0;  // kernel id
  uint64_t base = 0;    // time of the first event
  uint64_t last = 0;    // of the last one
  size_t used = 0;
  uint8_t bytes[bytes_max];
};

/// Everything of one generation, in the advancer's hands.
struct trace_generation {
  uint32_t number = 0;
  trace_buffer* batches = nullptr;  // those of one thread in their order
  uint64_t frequency = 0;           // units of time a second
  // One moment by three clocks.
  uint64_t time = 0;
  int64_t mono_ns = 0;
  int64_t wall_ns = 0;
  uint64_t lost = 0;  // events for which there was no memory
};
void trace_free(trace_buffer* batches) noexcept;

// --- the advancer's ---
/// What a trace needs of memory, before the first step. False: there is none.
[[nodiscard]] bool trace_prepare() noexcept;
enum class trace_step : uint8_t { first, next, last };
/// Ends a generation and begins the next one; `first` begins a trace, `last` ends it. Stops the
/// world meanwhile: some 50 ns for each goroutine. On a goroutine, inside a section that may park.
/// False: weft::run is about to return.
[[nodiscard]] bool trace_advance(trace_step step, trace_generation& finished) noexcept;
/// Of the generation that is being recorded; 0: none.
[[nodiscard]] uint32_t trace_generation_now() noexcept;
/// Memory of its buffers that are full.
[[nodiscard]] size_t trace_bytes_now() noexcept;
/// Above `wanted` bytes the goroutine that ends generations waits for no turn, if it is ready;
/// above `max` events are lost, and the generation with them.
void trace_limit(size_t wanted, size_t max) noexcept;
/// Ends a trace when weft::run is about to return; what was not finished is dropped.
void trace_abandon() noexcept;
/// What the generation has until now, in a dying process, for good: nothing is recorded any more.
/// False: nothing was, or a thread was stopped while it wrote. Async-signal-safe.
[[nodiscard]] bool trace_collect_dying(trace_generation& out) noexcept;

/// A sample of CPU time, from a profiler's thread; `p` and `g` may be none (~0, 0). `pcs`: return
/// addresses. `time` is trace_now() as it was then. Takes no lock of the scheduler.
void trace_cpu_sample(uint64_t time, int32_t thread, uint64_t p, uint64_t g, const uintptr_t* pcs,
                      size_t count) noexcept;

/// An event of the user's: `type` with up to four arguments. On a goroutine, inside a section that
/// may park. `strings(to, generation, arguments)` is called inside the window, to put numbers of
/// strings that are valid in that generation into the arguments.
void trace_user_event(trace_event type, uint64_t* arguments, size_t count, bool with_stack,
                      void (*strings)(void* to, uint32_t generation, uint64_t* arguments) noexcept,
                      void* to) noexcept;

// --- sched's: what happened; callers have seen probe_trace set ---
void trace_park(goroutine* gp, wait_reason why) noexcept;
void trace_stop(goroutine* gp, bool preempted) noexcept;
void trace_execute(goroutine* gp) noexcept;
void trace_ready(goroutine* gp) noexcept;
void trace_created(goroutine* gp) noexcept;
void trace_ended(goroutine* gp) noexcept;
void trace_acquired(machine* mp, processor* pp) noexcept;
void trace_released(machine* mp, processor* pp) noexcept;
/// Between robbing and none.
void trace_robbed(machine* victim, processor* pp) noexcept;
/// A robbed thread leaves its goroutine to the queue.
void trace_requeued(machine* mp, goroutine* gp) noexcept;
/// Around an announced call, inside a section.
void trace_blocking_begins() noexcept;
void trace_blocking_ends() noexcept;

}  // namespace weft::rt
