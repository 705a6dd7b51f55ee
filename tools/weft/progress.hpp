// SPDX-License-Identifier: Apache-2.0
// A line on the terminal that says how far a thing of seconds has come.
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace weft_command {

/// Drawn again ten times a second on standard error, from a goroutine of its own, until it is
/// destroyed; the line is gone then. Where standard error is no terminal nothing is shown.
class progress {
 public:
  /// `seconds`: how long it takes; 0: nobody knows.
  progress(std::string what, double seconds);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  /// Bytes that have come; from then on they are shown.
  void got(size_t bytes);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace weft_command
