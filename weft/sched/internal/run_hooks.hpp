// SPDX-License-Identifier: Apache-2.0
// Where the layer that observes hangs in a run's beginning and end, and in the process's death.
#pragma once

#include <string>

#include "weft/base/export.hpp"

namespace weft::rt {

struct run_hooks {
  /// On the main goroutine, before the program's function. Why the program must not begin (a
  /// setting that is bad), or an empty text.
  std::string (*begun)();
  /// On the main goroutine, after the program's function. May park.
  void (*ending)() noexcept;
  /// In a process that dies of a fatal signal, a panic or a fatal error, after its report.
  /// Async-signal-safe.
  void (*dying)() noexcept;
};

/// Once, before any weft::run; they stay.
WEFT_API void register_run_hooks(const run_hooks& hooks) noexcept;
/// Of the dying: does nothing where nobody is registered.
void tell_run_hooks_of_death() noexcept;

}  // namespace weft::rt
