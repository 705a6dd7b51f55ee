// SPDX-License-Identifier: Apache-2.0
// Counts and their reader. What is measured, and when, is contention.cpp's.
#include "weft/observe/internal/run_latencies.hpp"

#include <algorithm>
#include <bit>

#include "weft/base/atomic.hpp"
#include "weft/base/os/os.hpp"

namespace weft::rt {

namespace {
constinit atomic<uint64_t> counts[run_latencies::buckets];
constinit atomic<uint64_t> sum_ns{0};
constinit atomic<int64_t> wanted_until_ns{0};
}  // namespace

void add_run_latency(int64_t ns) noexcept {
  const uint64_t took = ns > 0 ? static_cast<uint64_t>(ns) : 0;
  const int bits = took <= 1 ? 0 : std::bit_width(took - 1);  // took is at most 2^bits
  const auto bucket = static_cast<size_t>(std::max(bits - run_latencies::first_bits, 0));
  counts[std::min(bucket, run_latencies::buckets - 1)].fetch_add(1, relaxed);
  sum_ns.fetch_add(took, relaxed);
}

bool run_latencies_wanted() noexcept { return os::monotonic_ns() < wanted_until_ns.load(relaxed); }

run_latencies read_run_latencies() noexcept {
  wanted_until_ns.store(os::monotonic_ns() + read_pause_ns, relaxed);
  update_sched_probe();
  run_latencies now;
  for (size_t i = 0; i < run_latencies::buckets; ++i) now.counts[i] = counts[i].load(relaxed);
  now.sum_ns = sum_ns.load(relaxed);
  return now;
}

}  // namespace weft::rt
