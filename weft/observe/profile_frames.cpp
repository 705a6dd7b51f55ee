// SPDX-License-Identifier: Apache-2.0
// Cutting stacks: how a goroutine begins, and how the runtime ends one.
#include "weft/observe/internal/profile_frames.hpp"

#include <algorithm>
#include <iterator>

namespace weft::rt {

namespace {

uintptr_t address_of(const profile_stack& stack, size_t n) noexcept {
  const uintptr_t pc = stack.pcs[n];
  return pc < pseudo_pc_count || (n == 0 && stack.exact) ? pc : pc - 1;
}

symbol make_pseudo(uintptr_t pc) {
  symbol s;
  symbol_line line;
  line.function = pseudo_name(pc);
  line.linkage = line.function;
  s.lines.push_back(std::move(line));
  return s;
}

const symbol& pseudo_symbol(uintptr_t pc) {
  static const symbol all[] = {make_pseudo(0), make_pseudo(1), make_pseudo(2), make_pseudo(3),
                               make_pseudo(4)};
  static_assert(std::size(all) == pseudo_pc_count);
  return all[pc];
}

bool all_runtime(const shown_frame& frame) {
  return !frame.is_pseudo() && std::ranges::all_of(frame.names->lines, [](const symbol_line& line) {
    return is_runtime_line(line);
  });
}

}  // namespace

std::string_view pseudo_name(uintptr_t pc) noexcept {
  switch (pc) {
    case pc_lost:
      return "weft.lost_samples";
    case pc_system:
      return "weft.scheduler";
    case pc_external:
      return "weft.external_code";
    case pc_not_begun:
      return "weft.not_begun";
    default:
      return "weft.unknown";
  }
}

profile_frames::profile_frames(const profile& p) : hide_inner_runtime_(p.hide_inner_runtime) {
  std::vector<uintptr_t> addresses;
  for (const auto& [stack, values] : p.samples)
    for (size_t n = 0; n < stack.pcs.size(); ++n)
      if (const uintptr_t at = address_of(stack, n); at >= pseudo_pc_count) addresses.push_back(at);
  std::ranges::sort(addresses);
  addresses.erase(std::ranges::unique(addresses).begin(), addresses.end());
  symbols_.look_up(addresses);
}

std::vector<shown_frame> profile_frames::of(const profile_stack& stack) const {
  std::vector<shown_frame> frames;
  for (size_t n = 0; n < stack.pcs.size(); ++n) {
    const uintptr_t address = address_of(stack, n);
    const symbol& names = address < pseudo_pc_count ? pseudo_symbol(address) : symbols_.at(address);
    frames.push_back({address, &names, names.lines.size()});
  }
  // Outer end: whole frames first, then the calls inlined into the last one.
  while (!frames.empty()) {
    shown_frame& last = frames.back();
    size_t kept = last.lines;
    while (kept > 0 && is_goroutine_entry(last.names->lines[kept - 1])) --kept;
    if (kept == last.lines || (kept == 0 && frames.size() == 1)) break;
    if (kept != 0) {
      last.lines = kept;
      break;
    }
    frames.pop_back();
  }
  if (hide_inner_runtime_) {
    const auto first = std::ranges::find_if_not(frames, all_runtime);
    if (first != frames.end()) frames.erase(frames.begin(), first);
  }
  return frames;
}

}  // namespace weft::rt
