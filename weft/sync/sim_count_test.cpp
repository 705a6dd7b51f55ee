// SPDX-License-Identifier: Apache-2.0
// How many seeded runs this program has made, in how much time: said at its end.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "weft/sched/sim_testing.hpp"

namespace {

class count_runs : public testing::Environment {
 public:
  void SetUp() override { start_ = std::chrono::steady_clock::now(); }
  void TearDown() override {
    const uint64_t runs = weft::sim::runs();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start_;
    std::printf("sim: %llu runs; this program took %.1f s\n", static_cast<unsigned long long>(runs),
                took.count());
    // 25 scenarios: over 100,000 runs where code is not instrumented.
    const bool whole = GTEST_FLAG_GET(filter) == "*" && std::getenv("WEFT_SEED") == nullptr &&
                       std::getenv("WEFT_SIM_SHARD") == nullptr &&
                       std::getenv("GTEST_TOTAL_SHARDS") == nullptr;
    if (whole) {
      EXPECT_GE(runs, 25 * weft::sim_testing::scenario_seeds);
    }
  }

 private:
  std::chrono::steady_clock::time_point start_;
};

const testing::Environment* const added = testing::AddGlobalTestEnvironment(new count_runs);

}  // namespace
