// SPDX-License-Identifier: Apache-2.0
// The runtime's debug log: the last thousand events in a ring, printed by reports. For places where
// nothing else may be called: signal handlers, under any lock, in the switch. WEFT_DEBUG=dlog=1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt {

/// Written when the settings are read, before the runtime has a second thread.
extern atomic<bool> dlog_enabled;

void dlog_slow(const char* text, int64_t a, int64_t b, int64_t c) noexcept;

/// Notes `text`, in which `%d` and `%x` stand for the numbers in turn. One load and a branch while
/// off. Lock-free and async-signal-safe.
template <size_t N>
inline void dlog(const char (&text)[N], int64_t a = 0, int64_t b = 0, int64_t c = 0) noexcept {
  if (dlog_enabled.load(relaxed)) [[unlikely]]
    dlog_slow(text, a, b, c);
}

/// Prints the ring, oldest first: `dlog: SECONDS THREAD TEXT`. Async-signal-safe.
void dlog_print(int fd) noexcept;

}  // namespace weft::rt
