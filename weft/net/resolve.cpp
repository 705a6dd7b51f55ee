// SPDX-License-Identifier: Apache-2.0
// Addresses from text: numeric forms here, names by lookup_host().
#include "weft/net/internal/resolve.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "weft/net/internal/lookup.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/net/lookup.hpp"

namespace weft::rt {

namespace {

/// The wildcard or loopback addresses that an empty host stands for.
std::vector<net::address> addresses_of_nobody(bool v4, bool v6, resolve_purpose purpose) {
  net::address four;
  four.kind = net::family::ipv4;
  net::address six;
  six.kind = net::family::ipv6;
  if (purpose == resolve_purpose::dial) {
    four.ip[0] = 127;
    four.ip[3] = 1;
    six.ip[15] = 1;
    if (v4 && v6) return {four, six};
    return {v4 ? four : six};
  }
  // One socket for both families; plain IPv4 where the kernel has no IPv6.
  if (v4 && v6) return {six, four};
  return {v4 ? four : six};
}

}  // namespace

result<resolved> resolve(const context& ctx, std::string_view network, std::string_view where,
                         resolve_purpose purpose, socket_kind kind) {
  resolved out;
  if (network == "unix" && kind == socket_kind::stream) {
    out.network = "unix";
    net::address address;
    address.kind = net::family::local;
    address.path = where;
    sockaddr_storage native;
    if (sys::to_native(address, native) == 0)
      return fail(
          error("address " + std::string(where) + ": a Unix socket's path has 1 to 107 bytes"));
    out.addresses.push_back(std::move(address));
    return out;
  }
  out.network = kind == socket_kind::stream ? "tcp" : "udp";
  const std::string_view version = network.substr(network.size() < 3 ? network.size() : 3);
  if (!network.starts_with(out.network) || (version != "" && version != "4" && version != "6"))
    return fail(error("unknown network " + std::string(network) +
                      (kind == socket_kind::stream ? " (tcp, tcp4, tcp6 and unix are known)"
                                                   : " (udp, udp4 and udp6 are known)")));
  out.ipv6_only = version == "6";
  const bool v4 = version != "6";
  const bool v6 = version != "4";
  const result<net::host_port> parts = net::split_host_port(where);
  if (!parts) return fail(parts.error());
  net::address numeric;
  if (parts->host.empty()) {
    out.addresses = addresses_of_nobody(v4, v6, purpose);
  } else if (parse_numeric(parts->host, numeric)) {
    out.addresses.push_back(numeric);
  } else {
    result<std::vector<net::address>> found = net::lookup_host(ctx, parts->host);
    if (!found) return fail(found.error());
    out.addresses = std::move(*found);
  }
  std::erase_if(out.addresses,
                [&](const net::address& a) { return a.kind == net::family::ipv4 ? !v4 : !v6; });
  if (out.addresses.empty())
    return fail(error("address " + parts->host + ": no suitable address found"));
  for (net::address& a : out.addresses) a.port = parts->port;
  // One socket, and IPv4 if there is a choice, as Go listens. (Of the two that an empty host stands
  // for the second is for kernels without IPv6.)
  if (purpose == resolve_purpose::listen && !parts->host.empty()) {
    const auto four = std::ranges::find(out.addresses, net::family::ipv4, &net::address::kind);
    if (four != out.addresses.end()) std::iter_swap(out.addresses.begin(), four);
    out.addresses.resize(1);
  }
  return out;
}

}  // namespace weft::rt
