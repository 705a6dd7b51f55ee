// SPDX-License-Identifier: Apache-2.0
// Texts of users' events in a trace: names, each kept once, and values, kept for a generation.
//
// Both are made before the event, where memory may be had; inside the event's window a generation
// is noted with a name, or a value is put on a generation's list.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weft/base/atomic.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

/// Different names; more share one that says so.
inline constexpr uint64_t trace_names_max = 65536;
/// Longer texts are cut: the format's limit.
inline constexpr size_t trace_text_max = 1024;

/// Numbers of strings, in ranges of their own.
inline constexpr uint64_t trace_first_name = trace_strings_free;
inline constexpr uint64_t trace_first_frame_text = trace_first_name + trace_names_max + 1;
inline constexpr uint64_t trace_first_value = uint64_t{1} << 24;
/// Of what a dying process looks up: above all values that there will be.
inline constexpr uint64_t trace_first_dying_text = uint64_t{1} << 56;

using trace_text_use = void (*)(void* to, uint64_t number, std::string_view text);

/// Number of a name, for good. Allocates the first time; throws std::bad_alloc.
[[nodiscard]] uint64_t trace_name(std::string_view name);
/// In a window.
void use_trace_name(uint64_t number, uint32_t generation) noexcept;

struct trace_value {
  uint64_t number = 0;
  std::string text;
  trace_value* next = nullptr;
};
[[nodiscard]] std::unique_ptr<trace_value> make_trace_value(std::string_view text);
/// In a window; takes it over.
void use_trace_value(trace_value* value, uint32_t generation) noexcept;

/// All that was used in a generation that has ended. Async-signal-safe if `use` is.
void each_trace_text(uint32_t generation, trace_text_use use, void* to);
/// Frees the generation's values.
void drop_trace_values(uint32_t generation) noexcept;

}  // namespace weft::rt
