// SPDX-License-Identifier: Apache-2.0
// Curves drawn with characters: braille (2 by 4 dots in each), or ASCII.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace load {

struct curve {
  std::vector<double> values{};
  std::string_view color{};  // an escape sequence; empty: none
  char ascii = '*';
};

struct plot_options {
  size_t width = 80;  // characters, with the axis
  size_t height = 8;
  bool ascii = false;
  bool color = true;
  bool logarithmic = false;
  /// How many values there will be in the end: that many fill the width. 0: as many as there are.
  size_t expected = 0;
  std::string (*label)(double) = nullptr;
};

/// The lines of a plot, each at most `width` wide. All curves have the same x: older values are
/// joined when there are more than the width can show: `mean` joins by mean, otherwise by maximum.
/// The scale is from 0, or from the power of ten below the smallest when logarithmic, to a round
/// number above the largest.
[[nodiscard]] std::vector<std::string> draw_plot(const std::vector<curve>& curves,
                                                 const plot_options& how, bool mean);

}  // namespace load
