// SPDX-License-Identifier: Apache-2.0
// Addresses from text: numeric forms here, names by the system's resolver on a blocked thread.
#include "weft/net/internal/resolve.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "weft/net/internal/sys.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

bool parse_numeric(const std::string& host, net::address& out) {
  if (::inet_pton(AF_INET, host.c_str(), out.ip.data()) == 1) {
    out.kind = net::family::ipv4;
    return true;
  }
  const size_t percent = host.find('%');
  const std::string bare = host.substr(0, percent);
  if (::inet_pton(AF_INET6, bare.c_str(), out.ip.data()) != 1) return false;
  out.kind = net::family::ipv6;
  if (percent != std::string::npos) {
    const std::string zone = host.substr(percent + 1);
    out.scope = ::if_nametoindex(zone.c_str());
    if (out.scope == 0) out.scope = static_cast<uint32_t>(std::strtoul(zone.c_str(), nullptr, 10));
  }
  return true;
}

/// Runs the system's resolver; the goroutine keeps this thread until it returns.
__attribute__((noinline)) int look_up(const std::string& host, addrinfo** list) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  return blocking([&] { return ::getaddrinfo(host.c_str(), nullptr, &hints, list); });
}

result<std::vector<net::address>> look_up_host(const std::string& host) {
  addrinfo* list = nullptr;
  const int status = look_up(host, &list);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
  if (status != 0) {
    const bool unknown = status == EAI_NONAME || status == EAI_NODATA;
    return fail(
        error("lookup " + host + ": " +
              (unknown ? std::string("no such host") : std::string(::gai_strerror(status)))));
  }
  std::vector<net::address> out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    sockaddr_storage native{};
    if (at->ai_addrlen > sizeof native) continue;
    std::memcpy(&native, at->ai_addr, at->ai_addrlen);
    net::address found = sys::from_native(native, at->ai_addrlen);
    if (found.kind != net::family::none) out.push_back(std::move(found));
  }
  return out;
}

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

result<resolved> resolve(std::string_view network, std::string_view where,
                         resolve_purpose purpose) {
  resolved out;
  if (network == "unix") {
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
  const bool any = network == "tcp";
  if (!any && network != "tcp4" && network != "tcp6")
    return fail(
        error("unknown network " + std::string(network) + " (tcp, tcp4, tcp6 and unix are known)"));
  out.network = "tcp";
  out.ipv6_only = network == "tcp6";
  const bool v4 = any || network == "tcp4";
  const bool v6 = any || network == "tcp6";
  const result<net::host_port> parts = net::split_host_port(where);
  if (!parts) return fail(parts.error());
  net::address numeric;
  if (parts->host.empty()) {
    out.addresses = addresses_of_nobody(v4, v6, purpose);
  } else if (parse_numeric(parts->host, numeric)) {
    out.addresses.push_back(numeric);
  } else {
    result<std::vector<net::address>> found = look_up_host(parts->host);
    if (!found) return fail(found.error());
    // IPv4 first, as Go listens; dialing tries all of them anyway.
    for (const net::family wanted : {net::family::ipv4, net::family::ipv6})
      for (const net::address& a : *found)
        if (a.kind == wanted) out.addresses.push_back(a);
    if (any && purpose == resolve_purpose::listen && !out.addresses.empty())
      out.addresses.resize(1);
  }
  std::erase_if(out.addresses,
                [&](const net::address& a) { return a.kind == net::family::ipv4 ? !v4 : !v6; });
  if (out.addresses.empty())
    return fail(error("address " + parts->host + ": no suitable address found"));
  for (net::address& a : out.addresses) a.port = parts->port;
  return out;
}

}  // namespace weft::rt
