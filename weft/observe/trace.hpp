// SPDX-License-Identifier: Apache-2.0
// Execution traces in Go's format: `go tool trace` opens them.
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/observe/prof.hpp"

namespace weft::trace {

/// Takes a trace's bytes; called from a goroutine of the tracer, in order.
using sink = prof::sink;

/// Begins to trace; whole generations go to `to` about once a second. `to` and what it refers to
/// must live until stop() has returned. Fails with already_tracing.
WEFT_API result<void> start(sink to);
/// Ends it: the last generation is written when this returns. Returns the first error of the sink.
/// Fails with not_tracing.
WEFT_API result<void> stop();
[[nodiscard]] WEFT_API bool enabled() noexcept;
WEFT_API extern const error already_tracing;
WEFT_API extern const error not_tracing;

}  // namespace weft::trace
