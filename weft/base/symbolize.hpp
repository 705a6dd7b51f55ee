// SPDX-License-Identifier: Apache-2.0
// Names for code addresses: function, file and line, inlined calls included.
//
// Works in a signal handler of a broken process: memory comes from mmap, never from malloc. The
// first call reads the program's debug information (milliseconds for each megabyte of it), and sees
// the libraries loaded by then; code loaded later is named by module and offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weft/base/export.hpp"

namespace weft::rt {

/// Texts live as long as the call that hands them out.
struct source_frame {
  /// Readable, with `()` or `(...)` at the end, without return type. Empty: unknown.
  std::string_view function;
  /// As the linker knows it. Empty for frames without a symbol.
  std::string_view linkage_name;
  /// Empty: unknown; then `module` says where the code lies.
  std::string_view file;
  int line = 0;
  /// Inlined into the frame that follows; `offset` is 0 then.
  bool inlined = false;
  /// pc minus the function's first address; without a symbol, what addr2line -e MODULE wants.
  uintptr_t offset = 0;
  /// File of the module. Empty: the code belongs to no module.
  std::string_view module;
};

using source_frame_sink = void (*)(void* data, const source_frame& frame) noexcept;

/// Hands `sink` the frames at `pc`, the innermost inlined call first; at least one. `pc` must lie
/// inside the instruction: give return addresses minus 1. Async-signal-safe except that the first
/// call takes the dynamic linker's lock for a moment.
WEFT_API void symbolize(uintptr_t pc, source_frame_sink sink, void* data) noexcept;

/// Writes the readable form of a linkage name to `out`, cut to `bytes`; the name itself if it is
/// not a C++ one. Async-signal-safe.
WEFT_API std::string_view readable_name(const char* linkage_name, char* out, size_t bytes) noexcept;

}  // namespace weft::rt
