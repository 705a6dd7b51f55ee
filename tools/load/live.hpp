// SPDX-License-Identifier: Apache-2.0
// What is shown while the load runs, on standard error: on a terminal two plots that are drawn
// again in their place; elsewhere a line each second.
#pragma once

#include <string>

#include "report.hpp"

namespace load {

class live_view {
 public:
  /// `expected`: how many samples there will be; 0: nobody knows.
  live_view(const options& how, size_t expected);
  [[nodiscard]] bool terminal() const noexcept { return terminal_; }
  [[nodiscard]] bool ascii() const noexcept { return ascii_; }
  /// A sample has been added to `what`; `status` says where the run is.
  void show(const outcome& what, const std::string& status);
  /// The plot stays; what is printed next comes below it.
  void finish();

 private:
  void redraw(const outcome& what, const std::string& status);
  const options& how_;
  size_t expected_;
  bool terminal_;
  bool ascii_;
  size_t lines_ = 0;      // of the drawing that is on the screen
  double printed_s_ = 0;  // the last plain line
};

/// True if standard output wants escape sequences.
[[nodiscard]] bool colored_output();

}  // namespace load
