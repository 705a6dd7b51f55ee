// SPDX-License-Identifier: Apache-2.0
// The list of commands.
#include "commands.hpp"

namespace weft_command {

std::span<const command* const> all_commands() noexcept {
  static const command* const all[] = {
      &ps_command,    &top_command,   &goroutines_command,    &profile_command,
      &flame_command, &trace_command, &trace_convert_command, &completion_command};
  return all;
}

}  // namespace weft_command
