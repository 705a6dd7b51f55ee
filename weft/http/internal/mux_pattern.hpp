// SPDX-License-Identifier: Apache-2.0
// Patterns of the mux: how they are written, and which of two is more specific. The rules are those
// of Go 1.22 (net/http, "Patterns" and "Precedence" in the documentation of ServeMux).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"

namespace weft::rt {

struct mux_segment {
  /// literal: the text without escapes; the others: the wildcard's name, empty for a trailing
  /// slash.
  std::string text;
  enum class kind : uint8_t {
    literal,
    one,   // {name}
    rest,  // {name...}, and a trailing slash
    end,   // {$}: the path ends with a slash here
  } what = kind::literal;
};

struct mux_pattern {
  std::string text;
  std::string method;  // empty: every method
  std::string host;    // empty: every host
  std::vector<mux_segment> segments;
};

[[nodiscard]] result<mux_pattern> parse_pattern(std::string_view text);

/// Of the sets of requests that two patterns match.
enum class overlap : uint8_t { equal, first_larger, second_larger, disjoint, partly };
/// Without regard to hosts.
[[nodiscard]] overlap compare_patterns(const mux_pattern& a, const mux_pattern& b);
/// Neither is more specific where both match.
[[nodiscard]] bool conflicting(const mux_pattern& a, const mux_pattern& b);

}  // namespace weft::rt
