// SPDX-License-Identifier: Apache-2.0
// One goroutine as it is at this moment, from a living process.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "weft/sched/internal/report.hpp"

namespace weft::rt {

struct label_set;

struct seen_goroutine {
  goroutine_snapshot g;
  /// As goroutine_group's. Empty: it runs, and was not to be asked.
  std::vector<uintptr_t> pcs;
  /// Lives until end_reading_labels(), between which and begin_reading_labels() this is called.
  const label_set* labels = nullptr;
};

/// False: there is none in this cell, or it is the runtime's own and `system` is not asked for. A
/// running one is asked by a signal (ask_thread.hpp).
[[nodiscard]] bool look_at(const goroutine* gp, bool system, seen_goroutine& out);

/// running, runnable, waiting.
[[nodiscard]] std::string_view state_name(g_status status) noexcept;

}  // namespace weft::rt
