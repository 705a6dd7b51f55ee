// SPDX-License-Identifier: Apache-2.0
// G: a goroutine is a 64-byte cell in a dense array, and the rest at the top of its stack.
//
// Queues, ready(), timers, netpoll and the debug root touch cells only. The rest (`goroutine_top`)
// shares the stack's first page with the park path and a small user frame, so a parked goroutine
// costs one page, one cell and one birth record.
//
// A goroutine gets its stack when it first runs (docs/adr/0013): until then it is a cell and a
// birth record, 128 bytes. A million that are spawned and end at once share a few warm stacks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/arch/arch.hpp"
#include "weft/base/atomic.hpp"
#include "weft/base/sanitizer.hpp"

namespace weft::rt {

/// Go's numbers (spec/runtime-text.md §1): schedtrace and debuggers print them.
enum class g_status : uint32_t {
  idle = 0,
  runnable = 1,
  running = 2,
  waiting = 4,
  dead = 6,
  guest = 11,  // stands for a foreign thread; it never has a stack of ours
};

/// Why a goroutine waits; texts are Go's, in wait_reason_text().
enum class wait_reason : uint8_t {
  none,
  io_wait,
  chan_receive_nil,
  chan_send_nil,
  select,
  select_no_cases,
  chan_receive,
  chan_send,
  semacquire,
  sleep,
  cond_wait,
  mutex_lock,
  rw_mutex_rlock,
  rw_mutex_lock,
  wait_group_wait,
  preempted,
  join,
  group_wait,
  once_wait,
  count_,
};
[[nodiscard]] const char* wait_reason_text(wait_reason why) noexcept;

struct goroutine_top;

/// The cell. 64 bytes, never freed, address stable: index = (address - array) / 64.
struct alignas(64) goroutine {
  /// Written by whoever owns the transition: the running M (running -> waiting), the one waker
  /// that won the right to wake it (waiting -> runnable), the M that executes it. Read by anyone.
  atomic<uint32_t> status;
  /// Why it waits. Written by the goroutine before it parks; kept until the next park.
  wait_reason reason;
  /// Bits of g_flag. Written by the goroutine's own M while it runs or switches.
  uint8_t flags;
  /// errno while not running: it belongs to the goroutine, not to the thread it ran on.
  uint16_t saved_errno;
  /// Saved stack pointer while not running: points to an arch::saved_frame. Protected by status.
  uintptr_t sp;
  /// Link in a run queue, a wait list of the runtime, or a free list: one at a time.
  goroutine* link;
  /// Unique for the life of the process, from 1; 0: cell never used.
  uint64_t id;
  /// Coarse monotonic time at which it last began to wait.
  int64_t since_ns;
  /// What it waits on (channel, mutex, poll descriptor): evidence for debuggers and leak proofs.
  const void* wait_on;
  /// The rest, at the top of its stack; null while no stack is attached.
  goroutine_top* top;
  /// Floating-point control words while not running.
  arch::fp_control fp;

  [[nodiscard]] g_status get_status() const noexcept {
    return static_cast<g_status>(status.load(acquire));
  }
};
static_assert(sizeof(goroutine) == 64);

enum g_flag : uint8_t {
  flag_has_exceptions = 1,  // top->exceptions holds live C++ exception globals
  flag_system = 2,          // the runtime's own: not counted, hidden below WEFT_TRACEBACK=system
  flag_main = 4,
  flag_guest = 8,    // the cell of a foreign thread: ready() wakes a futex
  flag_labels = 16,  // top->labels is a set
  flag_sim = 32,     // of the deterministic world
  flag_unborn = 64,  // has not run yet and has no stack: see birth_record
};

/// What __cxa_get_globals() points to (Itanium C++ ABI §2.2.2): two words that must travel.
struct exception_globals {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

struct local_entry;  // sched/local.hpp
struct label_set;    // internal/label_set.hpp

/// Closures up to this size lie in the birth record, for the goroutine's whole life.
inline constexpr size_t birth_closure_bytes = 40;

/// What a goroutine will run, before it has a stack. One for each cell, at the same index, in an
/// array of its own. Written by the creator before the goroutine is runnable.
struct alignas(64) birth_record {
  void (*entry)(void* closure);
  uintptr_t creation_pc;
  uint64_t parent_id;
  alignas(8) unsigned char closure[birth_closure_bytes];
};
static_assert(sizeof(birth_record) == 64);

/// The rest of the descriptor, at the top of the stack. Written by the goroutine itself or by its
/// creator before it first runs, unless said otherwise.
struct goroutine_top {
  goroutine* cell = nullptr;
  /// Next free stack, while this one has no goroutine.
  goroutine_top* link = nullptr;
  uintptr_t stack_lo = 0;  // lowest usable byte; the guard ends here
  uintptr_t stack_hi = 0;  // one past the slot's last byte
  /// Runs the closure and destroys it.
  void (*entry)(void* closure) = nullptr;
  void* closure = nullptr;
  /// Where the stack begins when the closure lies on it, right below this struct; else 0.
  uintptr_t closure_lo = 0;
  exception_globals exceptions;
  uint64_t parent_id = 0;
  /// Return address of the go statement.
  uintptr_t creation_pc = 0;
  /// Set by a waker before ready(): what woke this goroutine (a sudog, a verdict). Read by the
  /// goroutine after park() returns. Ordered by ready()'s queue operation.
  void* wake_value = nullptr;
  local_entry* locals = nullptr;
  /// Valid with flag_labels. Its own thread writes and its signal handlers read.
  label_set* labels = nullptr;
  [[no_unique_address]] sanitizer::fiber fiber;
  char name[32] = {};
};
static_assert(sizeof(goroutine_top) <= 256);

}  // namespace weft::rt
