// SPDX-License-Identifier: Apache-2.0
// Where a layer above hangs in what weft::run opens for operators: weft/debughttp.
#pragma once

#include <string>
#include <string_view>

#include "weft/base/export.hpp"

namespace weft::rt {

struct debug_door {
  /// On the main goroutine, before the program's function: listens at `address` (empty: at the
  /// default place, and without one there is no door) and serves. Why it cannot, or an empty text.
  std::string (*open)(std::string_view address, std::string_view token);
  /// On the main goroutine, after the program's function.
  void (*close)() noexcept;
};

/// Starts a goroutine of the runtime's own: not counted, and not in reports below level system.
/// What it spawns is ordinary. Null, or why there is no stack for it. Opens its own section.
[[nodiscard]] WEFT_API const char* try_start_system_goroutine(void (*entry)(void*), void* closure,
                                                              const char* name) noexcept;

/// At most one, before any weft::run; it stays.
WEFT_API void register_debug_door(const debug_door& door) noexcept;

}  // namespace weft::rt
