// SPDX-License-Identifier: Apache-2.0
// How long goroutines waited for a P, from an execution trace.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "weft/base/error.hpp"

namespace weft_command {

/// Times from ready to running. Bucket i: from 2^(i-1) ns up to below 2^i ns.
struct run_latency {
  std::array<uint64_t, 48> buckets{};
  uint64_t count = 0;
  int64_t max_ns = 0;
  double traced_seconds = 0;

  void add(int64_t ns) noexcept;
  /// The upper end of the bucket that has the share `q` of all below it.
  [[nodiscard]] int64_t quantile_ns(double q) const noexcept;
};

[[nodiscard]] weft::result<run_latency> find_run_latency(std::string_view trace);

}  // namespace weft_command
