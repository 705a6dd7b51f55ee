// SPDX-License-Identifier: Apache-2.0
// A profile shown: as a flame graph in a file, or as a table. Defined in flame.cpp.
#pragma once

#include <cstddef>
#include <string>

#include "profile.hpp"

namespace weft_command {

struct show_options {
  std::string output;  // .html or .svg
  std::string sample;
  std::string title;
  bool text = false;
  bool json = false;
  bool by_cum = false;  // the table's order
  size_t limit = 40;
};

/// What is said of --cum without a table.
inline constexpr const char* cum_alone = "--cum: is an order of --text or --json";

/// Returns the exit status; errors are reported. `before` may be null.
int show_profile(const profile& now, const profile* before, const show_options& how);

}  // namespace weft_command
