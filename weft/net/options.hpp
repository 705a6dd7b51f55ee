// SPDX-License-Identifier: Apache-2.0
// Settings of sockets that dialing, listening and connections have in common.
#pragma once

#include "weft/base/chrono.hpp"

namespace weft::net {

/// TCP keep-alive: the system asks a silent peer whether it is still there, and a connection whose
/// peer does not answer fails with `connection timed out` (with these defaults, as in Go, after
/// 15 s + 9 * 15 s). What is zero is as by default; times are rounded up to seconds, and what the
/// system cannot do (32,767 s, 127 probes) is cut to what it can.
struct keep_alive_options {
  bool enable = true;
  /// Silence before the first probe.
  std::chrono::nanoseconds idle = std::chrono::seconds(15);
  /// Between probes.
  std::chrono::nanoseconds interval = std::chrono::seconds(15);
  /// Unanswered probes after which the peer is taken for gone.
  int count = 9;
};

struct listen_options {
  /// SO_REUSEPORT: several sockets, of this process or others of the same user, listen on one port,
  /// and the system spreads connections over them.
  bool reuse_port = false;
  /// Connections that wait to be accepted; 0: as many as the system allows
  /// (net.core.somaxconn, which also limits larger numbers).
  int backlog = 0;
  /// Of accepted connections.
  keep_alive_options keep_alive{};
};

}  // namespace weft::net
