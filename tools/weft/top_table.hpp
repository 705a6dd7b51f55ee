// SPDX-License-Identifier: Apache-2.0
// A profile as a table of functions, as `go tool pprof -top` has it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profile.hpp"

namespace weft_command {

struct top_row {
  int64_t flat = 0;  // the function's own
  int64_t cum = 0;   // with all that it calls; once for each sample, however often it is in it
  std::string name;
  bool inlined = false;  // at every place
};

struct top_table {
  value_type measure;
  int64_t total = 0;          // what percentages are of: the other profile's when two are compared
  std::vector<top_row> rows;  // the largest |flat| first
};

/// With `before` its values are subtracted. Fails if it lacks the sample type.
[[nodiscard]] weft::result<top_table> make_top_table(const profile& now, size_t sample_type,
                                                     const profile* before);
/// The largest |cum| first, by name where they are equal: as `go tool pprof -top -cum`.
void sort_by_cum(top_table& of);
/// Lines: a head, at most `limit` rows.
[[nodiscard]] std::string top_text(const top_table& of, const profile& now, size_t limit);
/// "cpu, 2026-11-12 13:41:05 UTC, 30s": what a profile measured, when, how long.
[[nodiscard]] std::string about_profile(const profile& of, size_t sample_type);

}  // namespace weft_command
