// SPDX-License-Identifier: Apache-2.0
// Which bucket takes what, and who is measured.
#include "weft/observe/internal/run_latencies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "weft/observe/prof.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using rt::run_latencies;

size_t bucket_of(int64_t ns) {
  const run_latencies before = rt::read_run_latencies();
  rt::add_run_latency(ns);
  const run_latencies after = rt::read_run_latencies();
  EXPECT_EQ(after.sum_ns - before.sum_ns, static_cast<uint64_t>(std::max(ns, int64_t{0})));
  for (size_t i = 0; i < run_latencies::buckets; ++i)
    if (after.counts[i] != before.counts[i]) return i;
  return run_latencies::buckets;
}

TEST(run_latencies, a_bound_belongs_to_the_bucket_below) {
  EXPECT_EQ(bucket_of(-1), 0U);  // a clock that went back
  EXPECT_EQ(bucket_of(0), 0U);
  EXPECT_EQ(bucket_of(128), 0U);
  EXPECT_EQ(bucket_of(129), 1U);
  EXPECT_EQ(bucket_of(256), 1U);
  EXPECT_EQ(bucket_of(int64_t{1} << 34), run_latencies::buckets - 2);
  EXPECT_EQ(bucket_of((int64_t{1} << 34) + 1), run_latencies::buckets - 1);
  EXPECT_EQ(bucket_of(int64_t{1} << 62), run_latencies::buckets - 1);
}

uint64_t measured() {
  const run_latencies now = rt::read_run_latencies();
  return std::accumulate(now.counts.begin(), now.counts.end(), uint64_t{0});
}

TEST(run_latencies, one_in_64_is_measured_once_somebody_reads) {
  weft::run([] {
    const uint64_t before = measured();
    for (int round = 0; round < 1000; ++round) {
      wait_group all;
      for (int i = 0; i < 64; ++i) all.go([] {});
      all.wait();
    }
    const auto drawn = static_cast<double>(measured() - before);
    EXPECT_GT(drawn, 800);  // 1,000; six standard deviations are 190
    EXPECT_LT(drawn, 1200);
  });
}

TEST(run_latencies, the_profile_ends_and_readers_keep_the_probe) {
  weft::run([] {
    (void)measured();
    prof::set_sched_fraction(1);
    prof::set_sched_fraction(0);
    EXPECT_NE(rt::probes.now() & rt::probe_sched, 0U);
  });
}

}  // namespace
