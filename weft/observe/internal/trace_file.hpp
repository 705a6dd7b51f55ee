// SPDX-License-Identifier: Apache-2.0
// A trace as bytes: header and generations (spec/go-trace.md §1, §2).
#pragma once

#include <string>
#include <string_view>

#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

inline constexpr std::string_view trace_header{"go 1.26 trace\0\0\0", 16};

/// Batches, clock, stacks and strings of a generation, and its end. Looks names up, those of a
/// stack once in the process's life. One caller at a time. Throws std::bad_alloc.
[[nodiscard]] std::string trace_generation_bytes(const trace_generation& of);

/// Where a dying process puts bytes together.
struct trace_workspace;
/// Null: no memory. It stays.
[[nodiscard]] trace_workspace* make_trace_workspace() noexcept;
/// The same as trace_generation_bytes(), to a descriptor. Async-signal-safe: stacks that nobody has
/// looked up are looked up as reports do it, some hundreds of them.
void write_dying_generation(const trace_generation& of, trace_workspace& room, int fd) noexcept;

}  // namespace weft::rt
