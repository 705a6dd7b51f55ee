// SPDX-License-Identifier: Apache-2.0
// Goroutine reports: what signals, fatal errors, panics and goroutine_dump() print.
//
//   report.cpp         which goroutines, in which order, grouped or one by one
//   report_block.cpp   one goroutine: header, frames, creator
//   capture.cpp        stacks of goroutines that other threads run
//   signals.cpp        fatal signals
//
// All of it runs in a process that may be broken: it allocates nothing from a heap, takes no lock,
// and reads cells and stacks that others may be changing, so everything read is checked first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/report_writer.hpp"
#include "weft/base/settings.hpp"
#include "weft/base/unwind.hpp"
#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

struct machine;

/// Whether a report may stop the other threads for good.
enum class report_of : uint8_t { living, dying };

/// Prints `first` (null: nobody) and, from level `all` on, the others. `first` is taken to be
/// running: it stands where `ucontext` says, or here. Async-signal-safe.
void write_goroutines(int fd, report_of whom, traceback_level level, const goroutine* first,
                      void* ucontext) noexcept;
/// write_goroutines() from a given frame. `first_is_g0`: print the thread's scheduler stack first.
void write_goroutines_from(int fd, report_of whom, traceback_level level, const goroutine* first,
                           const unwind_frame& at, bool first_is_g0) noexcept;

/// A goroutine as it was at one moment.
struct goroutine_snapshot {
  const goroutine* cell = nullptr;
  g_status status = g_status::dead;
  wait_reason reason = wait_reason::none;
  uint8_t flags = 0;
  uint64_t id = 0;
  int64_t since_ns = 0;
  uintptr_t sp = 0;
  stack_bounds stack;  // lo == 0: it has none
  uint64_t parent_id = 0;
  uintptr_t creation_pc = 0;
  uintptr_t entry = 0;
  char name[32] = {};
};
[[nodiscard]] goroutine_snapshot take_snapshot(const goroutine* gp) noexcept;

/// The innermost and the outermost frames of a stack of any depth.
struct stack_trace {
  // 50 and 50, as Go prints them.
  static constexpr size_t half = 50;
  struct frame {
    uintptr_t pc, sp, fp;  // fp: the caller's sp, as in Go's dumps
    bool exact;
  };
  frame inner[half];
  frame outer[half];  // a ring: frame n, from half on, is at outer[n % half]
  size_t count = 0;

  [[nodiscard]] const frame& at(size_t n) const noexcept {
    return n < half ? inner[n] : outer[n % half];
  }
  [[nodiscard]] uint64_t hash() const noexcept;
};
void collect_trace(const unwind_frame& start, stack_bounds stack, stack_trace& trace) noexcept;
/// Where a goroutine that does not run goes on.
enum class parked_place : uint8_t {
  unknown,    // it has no stack that can be read
  not_begun,  // at its entry
  frame,
};
[[nodiscard]] parked_place find_parked(const goroutine_snapshot& g, unwind_frame& start) noexcept;
/// The trace of a goroutine that does not run. False: it has no readable stack.
[[nodiscard]] bool collect_parked(const goroutine_snapshot& g, stack_trace& trace) noexcept;
/// The trace of any goroutine but the one that reports: as captured, or as it is parked.
[[nodiscard]] bool collect_other(const goroutine_snapshot& g, stack_trace& trace) noexcept;
/// Bounds of the stack that `sp` lies on: a goroutine's, or this thread's.
[[nodiscard]] stack_bounds bounds_of(uintptr_t sp) noexcept;

/// `goroutine N [status, M minutes, name]:`, with gp, m and mp at system level.
void print_header(report_writer& out, const goroutine_snapshot& g, bool system) noexcept;
void print_frames(report_writer& out, const stack_trace& trace, bool system) noexcept;
/// `created by F in goroutine N`, nothing for the main goroutine.
void print_creator(report_writer& out, const goroutine_snapshot& g) noexcept;
/// Frames of one whole goroutine that does not run here: stack or why there is none, and creator.
void print_body(report_writer& out, const goroutine_snapshot& g, bool system) noexcept;

// --- capture.cpp ---
/// Stops every other thread that the runtime knows and keeps its stack; for a process that dies.
/// Once; async-signal-safe; returns after a second at most.
void capture_threads() noexcept;
/// What a stopped thread was doing on the goroutine stack that begins at `stack_lo`; null: none was
/// on it, or it did not answer.
[[nodiscard]] const stack_trace* captured_on(uintptr_t stack_lo) noexcept;
/// What the stopped thread of `mp` was doing on its own stack; null as above.
[[nodiscard]] const stack_trace* captured_thread(const machine* mp) noexcept;

/// Calls `function(argument)` on a large stack of its own: symbolizing wants more than a small
/// goroutine stack has. Returns when it has.
void on_report_stack(void (*function)(void*) noexcept, void* argument) noexcept;

/// Once, at the start of the runtime; signals.cpp.
void install_signal_handlers() noexcept;
/// Ends the process if a dying report takes longer than a minute.
void arm_report_watchdog() noexcept;

}  // namespace weft::rt
