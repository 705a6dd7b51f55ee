// SPDX-License-Identifier: Apache-2.0
// Where the door listens: what an address means, and the default place with its checks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/net/address.hpp"

namespace weft::debughttp {

struct place {
  bool local = false;  // a Unix socket
  std::string path;    // of it; "@name" for an abstract one
  std::string where;   // else "host:port", for net::listen
  std::string host;    // of it, without brackets
};

/// "unix:/path", "127.0.0.1:6060", "localhost:6060". `guarded`: whoever asks proves who they are
/// (token, client certificates), so that it need not be this machine. Says what to change.
[[nodiscard]] result<place> parse_place(std::string_view text, bool guarded);

/// PID.sock in $XDG_RUNTIME_DIR/weft, or in /tmp/weft-UID where that is not set. Makes the
/// directory and refuses one that others could have made or may write to; takes away sockets there
/// whose processes are gone.
[[nodiscard]] result<place> default_place();

/// Takes a socket out of the way that nobody listens to any more. Fails if somebody does, and if it
/// is no socket.
[[nodiscard]] result<void> clear_path(const std::string& path);

/// 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104, "localhost" and what ends in ".localhost".
[[nodiscard]] bool is_loopback(std::string_view host);

/// The process at the other end of a Unix socket runs as our user, or as root.
[[nodiscard]] bool is_own_peer(int fd) noexcept;

}  // namespace weft::debughttp
