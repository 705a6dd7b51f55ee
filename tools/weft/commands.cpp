// SPDX-License-Identifier: Apache-2.0
// The list of commands.
#include "commands.hpp"

namespace weft_command {

std::span<const command* const> all_commands() noexcept {
  static const command* const all[] = {&flame_command};
  return all;
}

}  // namespace weft_command
