// SPDX-License-Identifier: Apache-2.0
// WEFT_DEBUG=heaptrace=MS: what the heap holds, to standard error.
#pragma once

namespace weft::rt {

/// A line for the heap and one for each size class that has spans (docs/guide/malloc.md). Allocates
/// nothing.
void print_heap_trace() noexcept;

}  // namespace weft::rt
