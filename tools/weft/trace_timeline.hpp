// SPDX-License-Identifier: Apache-2.0
// An execution trace as a timeline: a track for each P and each goroutine.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "timeline.hpp"
#include "weft/base/error.hpp"

namespace weft_command {

struct trace_summary {
  int64_t generations = 0;
  int64_t events = 0;
  int64_t goroutines = 0;
  int64_t duration_ns = 0;
  /// Why it ended before the file did; empty: it did not.
  weft::error cut_off;
};

/// Fails if `file` is no trace, or has no whole generation. One that is cut off later is converted
/// up to there. `done` is told how many bytes of the file are.
[[nodiscard]] weft::result<trace_summary> convert_trace(std::string_view file, timeline& to,
                                                        const std::function<void(size_t)>& done);

}  // namespace weft_command
