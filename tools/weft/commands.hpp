// SPDX-License-Identifier: Apache-2.0
// The commands, each in the file of its name.
#pragma once

#include "command.hpp"

namespace weft_command {

extern const command flame_command;

}  // namespace weft_command
