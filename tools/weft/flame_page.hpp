// SPDX-License-Identifier: Apache-2.0
// A flame graph as a file for browsers: one HTML page or one SVG file, which needs no network.
#pragma once

#include <string>

#include "flame_graph.hpp"

namespace weft_command {

struct flame_text {
  std::string title;
  std::string about;  // what was measured, when, how long
};

[[nodiscard]] std::string flame_html(const flame_graph& of, const flame_text& text);
/// Like the HTML page where scripts run; elsewhere (image viewers) a still picture without what is
/// narrower than a pixel.
[[nodiscard]] std::string flame_svg(const flame_graph& of, const flame_text& text);

}  // namespace weft_command
