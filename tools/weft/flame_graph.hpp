// SPDX-License-Identifier: Apache-2.0
// A profile's stacks joined into a tree, beside another profile's if two are compared.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profile.hpp"

namespace weft_command {

struct flame_frame {
  uint32_t depth = 0;     // 1: called by nobody
  uint32_t function = 0;  // index
  bool inlined = false;
  int64_t value = 0;       // with all that it calls
  int64_t self = 0;        // alone
  int64_t other = 0;       // the same of the other profile
  int64_t other_self = 0;  //
};

struct flame_graph {
  value_type measure;
  std::vector<profile_function> functions;  // distinct
  std::vector<flame_frame> frames;          // parents before children, the largest child first
  int64_t total = 0;
  int64_t other_total = 0;
  bool compared = false;
  int64_t pruned_below = 0;  // frames of less than that were left out, with what they call
};

/// What a page holds: about 20 MB, and a second of a browser's time.
inline constexpr size_t flame_frames_max = 300'000;

/// Leaves out the smallest frames until at most `frames_max` are left. Sums stay what they are.
void prune(flame_graph& graph, size_t frames_max);

/// The tree of one sample type. With `before` its values are the frames' `other`; functions are the
/// same when name and file are. Fails if `before` lacks the sample type.
[[nodiscard]] weft::result<flame_graph> make_flame_graph(const profile& now, size_t sample_type,
                                                         const profile* before);

}  // namespace weft_command
