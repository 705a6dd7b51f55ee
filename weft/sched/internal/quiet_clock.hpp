// SPDX-License-Identifier: Apache-2.0
// Sleeping without being a reason for the process to live: for the runtime's own goroutines that
// look at something now and then.
#pragma once

#include <cstdint>

#include "weft/base/export.hpp"

namespace weft::rt {

/// Starts the clock's thread, if there is none yet. False: there is none to be had.
[[nodiscard]] WEFT_API bool quiet_clock_ready() noexcept;
/// Parks for about `ns`; earlier when quiet_wake() is called, also before. It is no timer, for
/// which the deadlock check would wait: a thread of its own counts the time, and the check knows
/// that thread. One goroutine of a process sleeps so at a time, after quiet_clock_ready().
WEFT_API void quiet_sleep(int64_t ns) noexcept;
/// Does not park.
WEFT_API void quiet_wake() noexcept;

}  // namespace weft::rt
