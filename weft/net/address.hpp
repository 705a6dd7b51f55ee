// SPDX-License-Identifier: Apache-2.0
// Where a socket is bound or connected to, and how that is written: "127.0.0.1:80", "[::1]:80",
// "/run/x.sock", "@abstract".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"

namespace weft::net {

enum class family : uint8_t { none, ipv4, ipv6, local };

/// One end of a connection. A value; small (no allocation unless a Unix path is long).
struct address {
  family kind = family::none;
  uint16_t port = 0;
  /// Interface of a link-local IPv6 address.
  uint32_t scope = 0;
  /// The first 4 are an IPv4 address's.
  std::array<uint8_t, 16> ip{};
  /// A Unix socket's path; a leading '@' stands for an abstract name.
  std::string path;

  /// As Go prints it. Unnamed Unix sockets are "@", none is "".
  [[nodiscard]] WEFT_API std::string string() const;
  friend bool operator==(const address&, const address&) = default;
};

struct host_port {
  std::string host;
  uint16_t port = 0;
};

/// Splits "host:port", "[v6]:port", ":port". Fails with Go's texts: `address x: missing port in
/// address`, `too many colons in address`, ...
[[nodiscard]] WEFT_API result<host_port> split_host_port(std::string_view text);
/// "127.0.0.1:80", "[::1]:80": numbers only, nothing is looked up.
[[nodiscard]] WEFT_API result<address> parse_address(std::string_view text);
/// The inverse of split_host_port(); brackets around IPv6.
[[nodiscard]] WEFT_API std::string join_host_port(std::string_view host, uint16_t port);

}  // namespace weft::net
