// SPDX-License-Identifier: Apache-2.0
// Connecting.
#pragma once

#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/net/conn.hpp"
#include "weft/sync/context.hpp"

namespace weft::net {

struct dial_options {
  /// Limit of the whole dial, all addresses together; zero: none but the context's.
  std::chrono::nanoseconds timeout{0};
  /// "host:port" to come from; empty: the system chooses.
  std::string_view local_address{};
};

/// Connects to `where`. Networks as in listen(); an empty host is this machine. A name is looked up
/// by the system's resolver on a thread of its own, and its addresses are tried one after the
/// other. Parks. Fails with the first address's error, net::err_timeout for a timeout or a
/// context's deadline, weft::canceled when the context was canceled.
[[nodiscard]] WEFT_API result<conn> dial(std::string_view network, std::string_view where,
                                         dial_options options = {});
[[nodiscard]] WEFT_API result<conn> dial(const context& ctx, std::string_view network,
                                         std::string_view where, dial_options options = {});

}  // namespace weft::net
