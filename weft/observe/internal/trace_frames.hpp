// SPDX-License-Identifier: Apache-2.0
// Stacks as a trace writes them: looked up once, kept as bytes, and readable without a lock when
// the process dies.
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/observe/internal/trace_strings.hpp"

namespace weft::rt {

/// As many frames as Go's reader takes; of deeper stacks the middle is left out.
inline constexpr size_t trace_frames_max = 128;
/// Different names of functions and files; more are empty.
inline constexpr size_t trace_frame_texts_max = size_t{1} << 20;

/// A stack's entry, without its first byte and its number: how many frames, and of each pc,
/// function, file, line (spec/go-trace.md §3).
struct encoded_stack {
  uint32_t bytes_len = 0;
  uint32_t texts_len = 0;  // behind: numbers of its texts

  [[nodiscard]] std::string_view bytes() const noexcept {
    return {reinterpret_cast<const char*>(texts() + texts_len), bytes_len};
  }
  [[nodiscard]] const uint32_t* texts() const noexcept {
    return reinterpret_cast<const uint32_t*>(this + 1);
  }
};

/// Looks up what that generation used and nobody has looked up before. One caller at a time.
/// Throws std::bad_alloc.
void encode_trace_stacks(uint32_t generation);
/// Null: not looked up.
[[nodiscard]] const encoded_stack* encoded_stack_of(const recorded_stack& stack) noexcept;

/// Notes that a generation has a stack with these texts.
void use_frame_texts(const encoded_stack& stack, uint32_t generation) noexcept;
/// Every text noted for a generation. Async-signal-safe.
void each_frame_text(uint32_t generation, trace_text_use use, void* to);

}  // namespace weft::rt
