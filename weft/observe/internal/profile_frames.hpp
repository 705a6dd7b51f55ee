// SPDX-License-Identifier: Apache-2.0
// The stacks of a profile with names, cut to what users know: a goroutine's stack ends at the
// function that it was started with.
#pragma once

#include <string_view>
#include <vector>

#include "weft/observe/internal/profile.hpp"
#include "weft/observe/internal/symbols.hpp"

namespace weft::rt {

/// A physical frame; `lines` of its symbol are shown, counted from the innermost.
struct shown_frame {
  uintptr_t address = 0;  // inside of the instruction; or a pseudo_pc
  const symbol* names = nullptr;
  size_t lines = 0;
  [[nodiscard]] bool is_pseudo() const noexcept { return address < pseudo_pc_count; }
};

class profile_frames {
 public:
  /// Looks up every address of `p`.
  explicit profile_frames(const profile& p);
  /// The frames of one of its stacks, innermost first.
  [[nodiscard]] std::vector<shown_frame> of(const profile_stack& stack) const;

 private:
  bool hide_inner_runtime_;
  symbol_table symbols_;
};

[[nodiscard]] std::string_view pseudo_name(uintptr_t pc) noexcept;

}  // namespace weft::rt
