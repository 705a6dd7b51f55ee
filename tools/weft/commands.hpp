// SPDX-License-Identifier: Apache-2.0
// The commands, each in the file of its name.
#pragma once

#include "command.hpp"

namespace weft_command {

extern const command ps_command;
extern const command top_command;
extern const command goroutines_command;
extern const command profile_command;
extern const command flame_command;
extern const command trace_command;
extern const command trace_convert_command;
extern const command completion_command;

}  // namespace weft_command
