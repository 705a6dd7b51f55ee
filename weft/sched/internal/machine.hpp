// SPDX-License-Identifier: Apache-2.0
// M: a thread that runs goroutines, and the two words by which a P can be taken back from it.
//
// Who may write `grant` (the whole of the safety argument; protocol in retake.cpp):
//   none -> P              its M, acquiring, in_rt = 1          store release
//   P or retaking -> none  its M, giving up its P, in_rt = 1    store release (may overwrite)
//   P -> retaking          the retaker                          CAS seq_cst, then heavy_fence()
//   retaking -> P          its M in enter_slow()                CAS acq_rel
//   retaking -> robbing    the retaker, after in_rt read 0      CAS acq_rel
//   robbing -> none        the retaker                          store release
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/sched/internal/goroutine.hpp"
#include "weft/sched/internal/read_section.hpp"

namespace weft::rt {

struct processor;
struct trace_buffer;

/// Values of machine::grant below any pointer. All of them take the slow path at entry.
inline constexpr uintptr_t grant_none = 0;
inline constexpr uintptr_t grant_retaking = 1;
inline constexpr uintptr_t grant_robbing = 2;
inline constexpr uintptr_t grant_slow_max = 2;

/// Runs on the next context, right after a switch away from `gp`: registers of `gp` are saved, so
/// it may be published. false: do not park after all, gp is made runnable again.
using park_commit = bool (*)(goroutine* gp, void* argument) noexcept;

struct alignas(64) machine {
  // --- line 0: the hot words ---------------------------------------------------------------
  /// First: readers find it by the thread's word without knowing this type.
  read_slot reading;
  /// 1 while this thread is inside the runtime. Written by this thread only.
  atomic<uint32_t> in_rt{0};
  /// 1 while inside weft::blocking(): sysmon looks sooner. Written by this thread only.
  atomic<uint32_t> announced{0};
  /// See the table above.
  atomic<uintptr_t> grant{grant_none};
  /// The P, valid inside a section. This thread only.
  processor* p = nullptr;
  /// The goroutine this thread runs; a guest's own cell. Written by this thread; read by crash
  /// reports and debuggers of other threads, hence atomic.
  atomic<goroutine*> cur{nullptr};
  /// A preemption request was accepted: yield at the next section that may park.
  bool want_yield = false;
  bool spinning = false;
  bool is_guest = false;
  bool sim = false;  // deterministic mode: every section takes the slow path
  /// Number of the P it acquired last: that of `p`, inside a section of a thread that has one. This
  /// thread only.
  uint32_t p_id = 0;
  /// &__cxa_get_globals() of this thread.
  exception_globals* exceptions = nullptr;
  /// &errno of this thread.
  int* errno_address = nullptr;
  /// --- line 1: switching ---------------------------------------------------------------------
  /// What to run on the next context after a switch.
  park_commit commit = nullptr;
  void* commit_argument = nullptr;
  goroutine* commit_g = nullptr;
  /// Saved stack pointer of g0, the scheduler's own stack (this thread's).
  uintptr_t g0_sp = 0;
  /// Picked to run next, but it needs a stack to be made: g0 does that. This thread only.
  goroutine* picked = nullptr;
  processor* next_p = nullptr;  // handed over before a wake-up of park_word
  processor* old_p = nullptr;   // lost or released last: tried first
  machine* link = nullptr;      // idle list, under sched.lock
  machine* all_link = nullptr;  // every M ever made; never removed
  // --- the rest ------------------------------------------------------------------------------
  atomic<uint32_t> park_word{0};  // futex: 0 parked or about to, 1 woken
  int32_t tid = 0;
  uint32_t id = 0;
  int state_fd = -1;             // sysmon: /proc/self/task/TID/stat
  atomic<int64_t> robbed_at{0};  // when its P was taken; 0 when it has not been
  bool blocked_when_robbed = false;
  void* signal_stack = nullptr;  // ours, with its guard (signals.cpp); null: it has its own
  goroutine guest_cell{};        // the cell of a guest
  goroutine_top guest_top{};
  [[no_unique_address]] sanitizer::fiber g0_fiber;
  [[no_unique_address]] sanitizer::thread_locals thread_locals;
  // Execution trace (trace.hpp). Odd: this thread is in a window. Written by it, or by who has
  // robbed it.
  atomic<uint32_t> trace_seq{0};
  /// Its goroutine is in a system call, to the reader. In windows.
  bool trace_in_call = false;
  trace_buffer* trace_buffers[2] = {};  // by parity of the generation; in windows
  uint64_t random = 0;                  // xorshift state: steal order, select order
};

}  // namespace weft::rt
