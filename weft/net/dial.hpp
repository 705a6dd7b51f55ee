// SPDX-License-Identifier: Apache-2.0
// Connecting.
#pragma once

#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/net/conn.hpp"
#include "weft/net/options.hpp"
#include "weft/sync/context.hpp"

namespace weft::net {

struct dial_options {
  /// Limit of the whole dial, all addresses together; zero: none but the context's.
  std::chrono::nanoseconds timeout{0};
  /// "host:port" to come from; empty: the system chooses.
  std::string_view local_address{};
  keep_alive_options keep_alive{};
  /// Happy eyeballs (RFC 8305): when a name has addresses of both families and the first family has
  /// not connected after this time, the other one is tried beside it. Zero: 300 ms. Negative: one
  /// after the other.
  std::chrono::nanoseconds fallback_delay{0};
};

/// Connects to `where`. Networks as in listen(); an empty host is this machine. A name is looked up
/// as by lookup_host(). The addresses of the family that the system prefers are tried in order,
/// each with its share of the time that is left (2 s at least); those of the other family beside
/// them once `fallback_delay` has passed or the first family has failed. The first to connect wins,
/// the others are closed. Parks. Fails with the error of the first address, net::err_timeout for a
/// timeout or a context's deadline, weft::canceled when the context was canceled.
[[nodiscard]] WEFT_API result<conn> dial(std::string_view network, std::string_view where,
                                         dial_options options = {});
[[nodiscard]] WEFT_API result<conn> dial(const context& ctx, std::string_view network,
                                         std::string_view where, dial_options options = {});

}  // namespace weft::net
