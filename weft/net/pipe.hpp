// SPDX-License-Identifier: Apache-2.0
// Connections in memory, for tests of what talks over a conn: no descriptor, no address, usable
// inside weft::sim (virtual deadlines, faults) and outside.
#pragma once

#include <cstddef>

#include "weft/net/conn.hpp"
#include "weft/net/listener.hpp"

namespace weft::net {

/// What a loopback socket holds, about.
inline constexpr size_t pipe_bytes = 64 * 1024;

struct pipe_ends {
  conn first;
  conn second;
};

/// Two conns that are connected with each other. Each direction holds `buffer_bytes`; 0: a write
/// returns when it has been read, as with Go's net.Pipe. What a conn promises holds: deadlines,
/// turns, close() from anywhere. Writing to an end that is gone fails with "broken pipe" (EPIPE);
/// what it had sent before can still be read. Socket options are accepted and do nothing.
///
/// Inside weft::sim the seed may make reads short, writes go out in pieces, and wait_readable()
/// return too early (sim::faults).
[[nodiscard]] WEFT_API pipe_ends pipe(size_t buffer_bytes = pipe_bytes);

/// A listener that is reached by dial_in_memory() only: for a server that takes a listener.
[[nodiscard]] WEFT_API listener listen_in_memory(size_t buffer_bytes = pipe_bytes);
/// A connection to it; parks while its queue of 128 is full. Fails with "connection refused" once
/// it is closed, and for other listeners.
[[nodiscard]] WEFT_API result<conn> dial_in_memory(const listener& to);

}  // namespace weft::net
