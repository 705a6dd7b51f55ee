// SPDX-License-Identifier: Apache-2.0
// What `weft top` has learned, and a frame of text that shows it.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "run_latency.hpp"
#include "top_table.hpp"
#include "weft/json/json.hpp"

namespace weft_command {

struct top_state {
  std::string title;         // "shop (4711)"
  weft::json::value sched;   // /debug/sched
  weft::json::value before;  // the same of the look before; null at first
  weft::json::value heap;
  weft::json::value goroutines;
  std::optional<top_table> cpu;  // of the last `cpu_seconds`
  double cpu_seconds = 0;
  std::optional<run_latency> latency;
  std::string problem;          // what could not be had, if anything
  std::deque<double> runnable;  // of the looks so far, the last one newest
  std::deque<double> busy;      // share of Ps that worked
};

struct frame_options {
  size_t columns = 80;
  size_t rows = 0;  // 0: as many as it takes
  bool color = false;
  bool ascii = false;  // no blocks and bars of Unicode
};

/// Lines, none wider than `columns`, at most `rows` of them.
[[nodiscard]] std::string draw_top(const top_state& of, const frame_options& how);

}  // namespace weft_command
