// SPDX-License-Identifier: Apache-2.0
// What a run was, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "recorder.hpp"

namespace load {

/// One stretch of the run.
struct sample {
  double at_s = 0;  // its end, from the end of the warm-up
  double per_second = 0;
  double p50_ns = 0;
  double p99_ns = 0;
  uint64_t failed = 0;
};

struct outcome {
  tally totals;
  std::vector<sample> samples;
  double window_s = 0;  // from the end of the warm-up to the end of the run
  bool interrupted = false;

  [[nodiscard]] uint64_t in_window() const noexcept { return totals.responses - totals.late; }
  [[nodiscard]] double per_second() const noexcept {
    return window_s > 0 ? static_cast<double>(in_window()) / window_s : 0;
  }
};

[[nodiscard]] std::string describe_load(const options& how);
[[nodiscard]] std::string text_report(const options& how, const outcome& what, bool color,
                                      bool ascii);
[[nodiscard]] std::string json_report(const options& how, const outcome& what);

}  // namespace load
