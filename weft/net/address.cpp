// SPDX-License-Identifier: Apache-2.0
// Writing and splitting addresses.
#include "weft/net/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <charconv>
#include <cstdlib>

#include "weft/net/internal/lookup.hpp"

namespace weft::rt {

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

}  // namespace weft::rt

namespace weft::net {

namespace {

error address_error(std::string_view text, const char* what) {
  return error("address " + std::string(text) + ": " + what);
}

}  // namespace

std::string address::string() const {
  char text[INET6_ADDRSTRLEN] = {};
  switch (kind) {
    case family::none:
      return "";
    case family::local:
      return path.empty() ? "@" : path;
    case family::ipv4:
      ::inet_ntop(AF_INET, ip.data(), text, sizeof text);
      break;
    case family::ipv6:
      ::inet_ntop(AF_INET6, ip.data(), text, sizeof text);
      break;
  }
  std::string host = text;
  if (scope != 0) host += "%" + std::to_string(scope);
  return join_host_port(host, port);
}

std::string join_host_port(std::string_view host, uint16_t port) {
  std::string out;
  out.reserve(host.size() + 8);
  const bool bracket = host.find(':') != std::string_view::npos;
  if (bracket) out += '[';
  out += host;
  if (bracket) out += ']';
  out += ':';
  out += std::to_string(port);
  return out;
}

result<host_port> split_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(address_error(text, "missing port in address"));
  std::string_view host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return fail(address_error(text, "missing ']' in address"));
    if (end + 1 == text.size()) return fail(address_error(text, "missing port in address"));
    if (end + 1 != colon)
      return fail(address_error(
          text, text[end + 1] == ':' ? "too many colons in address" : "missing port in address"));
    host = text.substr(1, end - 1);
  } else {
    if (host.find(':') != std::string_view::npos)
      return fail(address_error(text, "too many colons in address"));
    if (host.find(']') != std::string_view::npos)
      return fail(address_error(text, "unexpected ']' in address"));
  }
  if (host.find('[') != std::string_view::npos)
    return fail(address_error(text, "unexpected '[' in address"));
  const std::string_view digits = text.substr(colon + 1);
  host_port out{std::string(host), 0};
  if (digits.empty()) return out;
  unsigned value = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || bad == std::errc::invalid_argument)
    return fail(address_error(digits, "port is not a number from 0 to 65535"));
  if (bad != std::errc{} || value > 65535) return fail(address_error(digits, "invalid port"));
  out.port = static_cast<uint16_t>(value);
  return out;
}

result<address> parse_address(std::string_view text) {
  const result<host_port> parts = split_host_port(text);
  if (!parts) return fail(parts.error());
  address out;
  if (!rt::parse_numeric(parts->host, out))
    return fail(address_error(text, "not a numeric address"));
  out.port = parts->port;
  return out;
}

}  // namespace weft::net
