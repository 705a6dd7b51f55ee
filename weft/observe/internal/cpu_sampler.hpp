// SPDX-License-Identifier: Apache-2.0
// Samples of what threads run, taken by a signal handler.
//
//   clock of thread T ──SIGPROF──> handler on T: unwinds, appends to T's ring ──> collector thread
//
// Each thread has a clock of its own on its CPU time (base/os/sampling.hpp), so samples are fair
// and go to who used the time. New threads are found by looking at /proc twice a second, and those
// of the runtime at once, since sched tells of them. A ring has one writer, the handler on its
// thread, and one reader, the collector; a full one counts what it loses.
//
// The handler takes no lock and allocates nothing; it picks the stack by the stack pointer alone
// (around a switch "the current goroutine" is wrong in a quarter of the samples: research,
// observability.md c) and reads within that stack only.
//
// Rejected: setitimer(ITIMER_PROF), which hits threads by chance, and one at a time; a goroutine as
// collector, which hogs could keep from emptying the rings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/observe/prof.hpp"

namespace weft::rt {

struct label_set;

/// As runtime/pprof: deeper stacks lose their outer end.
inline constexpr size_t cpu_frames_max = 64;

struct cpu_sample {
  int64_t count = 0;  // periods
  label_set* labels = nullptr;
  /// The first one is exact. Empty: lost.
  std::vector<uintptr_t> pcs;
};

struct cpu_samples {
  std::vector<cpu_sample> all;  // each stack and label set once; labels end with drop_cpu_samples()
  int64_t lost = 0;
  int64_t period_ns = 0;
  int64_t begun_ns = 0;  // since the epoch
  int64_t duration_ns = 0;
  int64_t cpu_ns = 0;  // of the process meanwhile
  bool by_perf = false;
};

/// One at a time. Fails with prof::already_profiling or what the system says.
[[nodiscard]] result<void> start_cpu_sampler(int rate_hz);
/// Ends sampling. Fails with prof::not_profiling.
[[nodiscard]] result<cpu_samples> stop_cpu_sampler();
/// The label sets that samples name may go now.
void drop_cpu_samples(cpu_samples& samples) noexcept;

}  // namespace weft::rt
