// SPDX-License-Identifier: Apache-2.0
// Writing and splitting addresses.
#include "weft/net/address.hpp"

#include <arpa/inet.h>

#include <charconv>

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

}  // namespace weft::net
