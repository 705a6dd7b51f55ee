// SPDX-License-Identifier: Apache-2.0
// How long goroutines wait between ready and running: Go's /sched/latencies, as a histogram.
//
// Measuring costs every switch some nanoseconds, so it goes on only while somebody reads: from a
// reading until read_pause after the latest. Counts and sums only grow.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "weft/base/export.hpp"

namespace weft::rt {

/// Goroutines are measured by lot, one in so many that become ready, and each counts once.
inline constexpr int latency_fraction = 64;
inline constexpr int64_t read_pause_ns = int64_t{300} * 1'000'000'000;

/// Bucket i holds what took up to 2^(i + first_bits) ns and did not fit the one before; the last
/// one the rest.
struct run_latencies {
  static constexpr int first_bits = 7;   // 128 ns
  static constexpr size_t buckets = 29;  // up to 17 s; the rest
  std::array<uint64_t, buckets> counts{};
  uint64_t sum_ns = 0;
};
/// What was measured until now; measuring goes on.
[[nodiscard]] WEFT_API run_latencies read_run_latencies() noexcept;

/// Time that goroutines have waited for mutexes and read-write locks, as estimated by
/// prof::set_mutex_fraction's samples; negative: nothing was sampled yet.
[[nodiscard]] WEFT_API double mutex_wait_ns() noexcept;

// --- for contention.cpp ---
void add_run_latency(int64_t ns) noexcept;
/// Whether somebody has read within read_pause_ns.
[[nodiscard]] bool run_latencies_wanted() noexcept;
/// Switches the measuring on or off, as is wanted now.
void update_sched_probe() noexcept;

}  // namespace weft::rt
