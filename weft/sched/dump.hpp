// SPDX-License-Identifier: Apache-2.0
// The goroutines of this process, as text.
#pragma once

#include <string>

#include "weft/base/export.hpp"

namespace weft {

/// Every goroutine's state, wait reason, stack and creator in Go's format (docs/guide/
/// crash-reports.md); the calling one first. `all == false`: only that one. Above a thousand
/// goroutines equal stacks are printed once, with their number. Nothing is stopped meanwhile, so
/// each goroutine is shown as it was at some moment of the call. Does not park. Empty when a
/// temporary file cannot be had.
[[nodiscard]] WEFT_API std::string goroutine_dump(bool all = true);

}  // namespace weft
