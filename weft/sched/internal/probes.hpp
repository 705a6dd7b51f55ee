// SPDX-License-Identifier: Apache-2.0
// What the scheduler tells those who watch it, while somebody does: one word that is 0 otherwise,
// read where goroutines park, become ready, begin to run and are made. So nobody pays more than a
// load and a branch for what is off.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/watch_word.hpp"
#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

/// Bits of `probes`.
enum probe_bit : uint32_t {
  probe_trace = 1,  // the execution trace
  probe_block = 2,  // who was blocked, and how long
  probe_mutex = 4,  // who ended others' waiting for a lock
  probe_sched = 8,  // how long from ready to running
};
/// Those that ask when a goroutine begins to run.
inline constexpr uint32_t probes_of_running = probe_trace | probe_sched;
/// Set and cleared by the layers above, after their functions are in place. Whoever reads a bit
/// acts by it; a moment later it may be off.
extern watch_word probes;
/// Not 0: thread_begins is called. A word of its own: a CPU profile must cost no switch anything.
extern watch_word thread_probes;
void set_probe(probe_bit bit, bool on) noexcept;

/// Called inside a section, on the goroutine or thread in question: they must not park, allocate
/// from the program's heap, or take long. Written before their bit is set.
struct probe_functions {
  /// A goroutine or foreign thread has waited `ns` for `why`, and goes on now. From its park().
  atomic<void (*)(wait_reason why, int64_t ns) noexcept> blocked{nullptr};
  /// The caller has ended a wait of `ns` for a lock.
  atomic<void (*)(int64_t ns) noexcept> unlocked{nullptr};
  /// The caller makes a goroutine ready: what is handed to `ran` when it begins to run, or null.
  atomic<void* (*)() noexcept> made_ready{nullptr};
  atomic<void (*)(void* made_ready, int64_t ns) noexcept> ran{nullptr};
  /// This thread is one that the runtime has started, or has come to know.
  atomic<void (*)() noexcept> thread_begins{nullptr};
};
extern probe_functions probe_calls;

// --- for sched's own files: the slow halves ---
/// In ready() and submit_goroutine(), before others can see `gp`.
void probe_ready(goroutine* gp, uint32_t on, bool is_new) noexcept;
/// In note_execute().
void probe_execute(goroutine* gp) noexcept;

}  // namespace weft::rt
