// SPDX-License-Identifier: Apache-2.0
// A thread's window for events, and how events are written. For the trace's own files.
#pragma once

#include "weft/base/os/os.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

/// What the reader of the trace knows; its numbers for goroutines (spec §4). 0: nothing.
enum class trace_state : uint8_t {
  unknown = 0,
  runnable = 1,
  running = 2,
  syscall = 3,
  waiting = 4
};

/// A goroutine's or P's place in the trace: one word, so that it can be claimed.
struct trace_entry {
  uint32_t generation = 0;
  uint32_t sequence = 0;
  trace_state state = trace_state::unknown;

  [[nodiscard]] uint64_t packed() const noexcept {
    return uint64_t{generation} << 32 | (sequence & 0xffffff) << 8 | static_cast<uint8_t>(state);
  }
  static trace_entry of(uint64_t word) noexcept {
    return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word >> 8 & 0xffffff),
            static_cast<trace_state>(word & 0xff)};
  }
};

extern atomic<uint32_t> trace_generation_number;  // 0: no trace
/// The first one of the present trace: what was mentioned since is known to the reader.
extern atomic<uint32_t> trace_first_generation;

/// In nobody's hands between windows but its thread's.
class trace_window {
 public:
  /// `mp`: this thread's, or one that the caller has robbed.
  explicit trace_window(machine* mp) noexcept : mp_(mp) {
    const uint32_t seq = mp->trace_seq.load(relaxed);
    mp->trace_seq.store(seq + 1, relaxed);
    os::light_fence();  // partner: heavy_fence() in trace_advance()
    generation_ = trace_generation_number.load(relaxed);
  }
  ~trace_window() {
    // release: what was appended; partner: the acquire in trace_advance().
    mp_->trace_seq.store(mp_->trace_seq.load(relaxed) + 1, release);
  }
  trace_window(const trace_window&) = delete;
  trace_window& operator=(const trace_window&) = delete;

  [[nodiscard]] uint32_t generation() const noexcept { return generation_; }
  [[nodiscard]] bool recording() const noexcept { return generation_ != 0; }
  [[nodiscard]] machine* of() const noexcept { return mp_; }

  template <class... Arguments>
  void put(trace_event type, Arguments... arguments) noexcept {
    const uint64_t list[] = {static_cast<uint64_t>(arguments)..., 0};
    put_list(type, list, sizeof...(arguments));
  }
  void put_list(trace_event type, const uint64_t* arguments, size_t count) noexcept;
  /// A status, with the time before its entry was claimed: whoever finds the claim writes later
  /// events, maybe while this one waits for the CPU.
  void put_status(uint64_t time, trace_event type, uint64_t of, uint64_t thread,
                  trace_state state) noexcept {
    const uint64_t list[] = {of, thread, static_cast<uint64_t>(state)};
    append(time, type, list, 3);
  }

 private:
  void append(uint64_t time, trace_event type, const uint64_t* arguments, size_t count) noexcept;

  machine* mp_;
  uint32_t generation_;
};

/// A goroutine's entry. Null: no address space for entries.
[[nodiscard]] atomic<uint64_t>* trace_entry_of(const goroutine* gp) noexcept;

/// Number of the stack from here outwards, or 0; marked as used in that generation.
[[nodiscard]] uint64_t trace_stack_here(uint32_t generation) noexcept;
/// Of a function alone.
[[nodiscard]] uint64_t trace_stack_of(uintptr_t pc, uint32_t generation) noexcept;

/// Writes the status of a goroutine that no one has mentioned in this generation, if the reader
/// knows it or this is the first one. False: the reader knows nothing of it.
bool trace_mention(trace_window& w, goroutine* gp, uint64_t thread) noexcept;
void trace_mention(trace_window& w, processor* pp) noexcept;
/// `gp` is known to run on this window's thread, with its P.
void trace_make_running(trace_window& w, goroutine* gp) noexcept;

}  // namespace weft::rt
