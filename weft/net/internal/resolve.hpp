// SPDX-License-Identifier: Apache-2.0
// From "network" and "host:port" to addresses.
#pragma once

#include <string_view>
#include <vector>

#include "weft/net/address.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {

enum class resolve_purpose : uint8_t { listen, dial };
enum class socket_kind : uint8_t { stream, datagram };

struct resolved {
  /// "tcp", "udp" or "unix" in static storage: what errors print.
  const char* network = "";
  bool ipv6_only = false;
  /// Never empty.
  std::vector<net::address> addresses;
};

/// May park, for a name. Errors carry no operation: the caller adds it.
[[nodiscard]] result<resolved> resolve(const context& ctx, std::string_view network,
                                       std::string_view where, resolve_purpose purpose,
                                       socket_kind kind = socket_kind::stream);

}  // namespace weft::rt
