// SPDX-License-Identifier: Apache-2.0
// A trace as bytes: header and generations (spec/go-trace.md §1, §2).
#pragma once

#include <string>

#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

[[nodiscard]] std::string trace_header();
/// Batches, clock, stacks and strings of a generation, and its end. Looks names up.
[[nodiscard]] std::string trace_generation_bytes(const trace_generation& of);

}  // namespace weft::rt
