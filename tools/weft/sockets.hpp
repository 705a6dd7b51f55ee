// SPDX-License-Identifier: Apache-2.0
// Weft processes of this machine, found by their control sockets.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weft/base/error.hpp"

namespace weft_command {

/// A socket PID.sock in a directory where Weft programs put theirs. Whether somebody listens is not
/// known yet.
struct control_socket {
  pid_t pid = 0;
  std::string path;
};

/// All of this user, in $XDG_RUNTIME_DIR/weft and /tmp/weft-UID, by pid. Directories that belong to
/// somebody else are passed over: anybody may make /tmp/weft-UID.
[[nodiscard]] std::vector<control_socket> control_sockets();

/// Where process `pid` can be asked: "unix:PATH", or what its WEFT_DEBUG_ADDR says. The error says
/// why it cannot: there is none, it is no Weft program, it is not ours.
[[nodiscard]] weft::result<std::string> find_address(pid_t pid);

/// The file's name of the program that runs as `pid`: "shop". Empty: there is none, or it is not
/// ours to look at.
[[nodiscard]] std::string program_of(pid_t pid);

}  // namespace weft_command
