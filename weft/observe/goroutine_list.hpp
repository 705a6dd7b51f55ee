// SPDX-License-Identifier: Apache-2.0
// All goroutines, grouped by what they do: for the goroutine profile and for operators' pages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/base/export.hpp"

namespace weft::rt {

/// Goroutines with the same stack, state and labels.
struct goroutine_group {
  /// Innermost first. Return addresses, but for the first one, which is exact. Empty: a goroutine
  /// that ran and could not be asked.
  std::vector<uintptr_t> pcs;
  /// It has not begun: `pcs` is its first function.
  bool unborn = false;
  std::string_view state;   // running, runnable, waiting
  std::string_view reason;  // of waiting ones, in Go's words; else empty
  std::vector<std::pair<std::string, std::string>> labels;  // by key
  uint64_t count = 0;
  /// Of those that wait: how long the one has that waits longest.
  int64_t oldest_ns = 0;
  uintptr_t creation_pc = 0;  // of the first one found; 0: the main goroutine
  std::vector<uint64_t> ids;  // of some of them
  std::string name;           // of the first one found; may be empty
};

struct goroutine_list_options {
  bool system = false;  // the runtime's own as well
  size_t ids_max = 8;   // kept of each group
};

/// Nothing stops meanwhile: each is shown as it was at some moment of the call. Running ones are
/// asked by a signal; a thread that does not answer within 100 ms has no stack. A microsecond or
/// two for each goroutine. Does not park.
[[nodiscard]] WEFT_API std::vector<goroutine_group> goroutine_groups(
    const goroutine_list_options& how = {});

}  // namespace weft::rt
