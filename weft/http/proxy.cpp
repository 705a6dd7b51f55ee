// SPDX-License-Identifier: Apache-2.0
// Proxies by name: options, environment, exceptions.
#include "weft/http/proxy.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "weft/http/header.hpp"

namespace weft::http {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

struct ip_address {
  std::array<unsigned char, 16> bytes{};
  unsigned bits = 0;  // 0: none
};

ip_address parse_ip(std::string_view text) {
  ip_address out;
  const std::string own(text);
  if (inet_pton(AF_INET, own.c_str(), out.bytes.data()) == 1)
    out.bits = 32;
  else if (inet_pton(AF_INET6, own.c_str(), out.bytes.data()) == 1)
    out.bits = 128;
  return out;
}

bool in_network(const ip_address& ip, const ip_address& network, unsigned prefix) noexcept {
  if (ip.bits == 0 || ip.bits != network.bits || prefix > ip.bits) return false;
  const unsigned whole = prefix / 8;
  if (std::memcmp(ip.bytes.data(), network.bytes.data(), whole) != 0) return false;
  const unsigned rest = prefix % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xFFu << (8 - rest) & 0xFFu;
  return ((ip.bytes[whole] ^ network.bytes[whole]) & mask) == 0;
}

bool ends_with_fold(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && equal_fold(text.substr(text.size() - end.size()), end);
}

bool is_loopback(std::string_view host) {
  if (equal_fold(host, "localhost")) return true;
  const ip_address ip = parse_ip(host);
  return in_network(ip, parse_ip("127.0.0.0"), 8) || in_network(ip, parse_ip("::1"), 128);
}

/// One entry of a list, without a port.
bool names(std::string_view entry, std::string_view host) {
  if (entry == "*") return true;
  if (const size_t slash = entry.find('/'); slash != std::string_view::npos) {
    const std::string prefix(entry.substr(slash + 1));
    if (prefix.empty() || prefix.size() > 3 ||
        prefix.find_first_not_of("0123456789") != std::string::npos)
      return false;
    return in_network(parse_ip(host), parse_ip(entry.substr(0, slash)),
                      static_cast<unsigned>(std::atoi(prefix.c_str())));
  }
  const ip_address ip = parse_ip(entry);
  if (ip.bits != 0) return in_network(parse_ip(host), ip, ip.bits);
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) return ends_with_fold(host, entry);
  if (equal_fold(host, entry)) return true;
  return host.size() > entry.size() && host[host.size() - entry.size() - 1] == '.' &&
         ends_with_fold(host, entry);
}

std::string from_environment(const char* lower, const char* upper) {
  const char* value = std::getenv(lower);
  if (value == nullptr || *value == 0) value = std::getenv(upper);
  return value != nullptr ? value : "";
}

/// "host:port" stands for "http://host:port".
result<url> parse_proxy(const std::string& text) {
  result<url> out = url::parse(text);
  if (!out || (out->scheme != "http" && out->scheme != "https"))
    if (text.find("://") == std::string::npos) out = url::parse("http://" + text);
  if (!out) return fail(error::wrap("http: invalid proxy address \"" + text + '"', out.error()));
  if (out->scheme != "http" && out->scheme != "https")
    return fail(error("http: proxies speak http or https, not \"" + out->scheme + '"'));
  if (out->hostname().empty()) return fail(error("http: no host in proxy address \"" + text + '"'));
  return out;
}

}  // namespace

bool bypasses_proxy(std::string_view no_proxy, const url& to) {
  const std::string_view host = to.hostname();
  if (is_loopback(host)) return true;
  while (!no_proxy.empty()) {
    const size_t comma = std::min(no_proxy.find(','), no_proxy.size());
    std::string_view entry = trimmed(no_proxy.substr(0, comma));
    no_proxy.remove_prefix(std::min(comma + 1, no_proxy.size()));
    if (entry.empty()) continue;
    const size_t colon = entry.rfind(':');
    const bool has_port = colon != std::string_view::npos &&
                          (entry.find(':') == colon || entry.substr(0, colon).ends_with(']'));
    if (has_port) {
      if (entry.substr(colon + 1) != std::to_string(to.port())) continue;
      entry = entry.substr(0, colon);
    }
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
    if (names(entry, host)) return true;
  }
  return false;
}

proxy_function fixed_proxy(url where, std::string_view no_proxy) {
  return [where = std::move(where),
          not_for = std::string(no_proxy)](const url& to) -> result<std::optional<url>> {
    if (bypasses_proxy(not_for, to)) return std::nullopt;
    return where;
  };
}

proxy_function proxy_from_environment() {
  const std::string for_http = from_environment("http_proxy", "HTTP_PROXY");
  const std::string for_https = from_environment("https_proxy", "HTTPS_PROXY");
  const std::string not_for = from_environment("no_proxy", "NO_PROXY");
  const bool cgi = std::getenv("REQUEST_METHOD") != nullptr;
  return [=](const url& to) -> result<std::optional<url>> {
    const std::string& text = to.scheme == "https" ? for_https : for_http;
    if (text.empty() || bypasses_proxy(not_for, to)) return std::nullopt;
    if (cgi && to.scheme == "http")
      return fail(error("http: refusing to use HTTP_PROXY inside CGI, where clients can set it"));
    result<url> proxy = parse_proxy(text);
    if (!proxy) return fail(proxy.error());
    return std::move(*proxy);
  };
}

}  // namespace weft::http
