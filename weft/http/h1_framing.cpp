// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h1_framing.hpp"

#include <algorithm>
#include <limits>

namespace weft::rt::h1 {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool refuse(refusal& why, int status, const char* text) noexcept {
  why = {status, text};
  return false;
}

std::string_view trimmed(std::string_view text) noexcept {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// What the Connection fields ask for.
struct connection_options {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};

bool read_connection(const head& of, connection_options& out, refusal& why) {
  uint32_t left = of.count(header_id::connection);
  for (const field* f = of.begin(); left != 0; ++f) {
    if (f->id != header_id::connection) continue;
    --left;
    std::string_view rest = of.value(*f);
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view option = trimmed(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      if (option.empty()) continue;  // lists may have empty elements
      if (!is_token(option)) return refuse(why, 400, "malformed Connection field");
      if (same_but_case(option, "close")) {
        out.close = true;
      } else if (same_but_case(option, "keep-alive")) {
        out.keep_alive = true;
      } else if (same_but_case(option, "upgrade")) {
        out.upgrade = true;
      }
    }
  }
  return true;
}

/// Content-Length and Transfer-Encoding, whatever the message. `out` says none, length or chunked.
bool read_length(const head& of, framing& out, refusal& why) {
  const uint32_t lengths = of.count(header_id::content_length);
  const uint32_t codings = of.count(header_id::transfer_encoding);
  if ((lengths | codings) == 0) return true;
  if (lengths != 0 && codings != 0)
    return refuse(why, 400, "both Content-Length and Transfer-Encoding");
  if (lengths > 1) return refuse(why, 400, "more than one Content-Length");
  if (lengths == 1) {
    if (!parse_length(of.value(*of.find(header_id::content_length)), out.length))
      return refuse(why, 400, "malformed Content-Length");
    if (out.length != 0) out.body = body_kind::length;
    return true;
  }
  if (codings > 1) return refuse(why, 400, "more than one Transfer-Encoding");
  if (of.minor_version() == 0) return refuse(why, 400, "Transfer-Encoding in HTTP/1.0");
  if (!same_but_case(of.value(*of.find(header_id::transfer_encoding)), "chunked"))
    return refuse(why, 501, "Transfer-Encoding is not exactly `chunked`");
  out.body = body_kind::chunked;
  return true;
}

/// `:port`, or nothing.
bool valid_port(std::string_view rest) noexcept {
  if (rest.empty()) return true;
  if (rest[0] != ':' || rest.size() > 6) return false;
  rest.remove_prefix(1);
  uint32_t port = 0;
  for (const char c : rest) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  return port <= 65535;
}

bool is_hex(char c) noexcept { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

consteval std::array<bool, 256> make_reg_name() {
  std::array<bool, 256> of{};
  for (unsigned b = 0; b < 256; ++b)
    of[b] = (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
  for (const char c : std::string_view{"-._~!$&'()*+,;="}) of[static_cast<uint8_t>(c)] = true;
  return of;
}
constexpr std::array<bool, 256> reg_name = make_reg_name();

slice tail(slice of, size_t from) noexcept {
  return {of.at + static_cast<uint32_t>(from), of.bytes - static_cast<uint32_t>(from)};
}

/// `http://host[:port][/path][?query]`
bool split_absolute(const head& of, request_framing& out, refusal& why) {
  const std::string_view target = of.target_text();
  const size_t colon = target.find("://");
  const std::string_view scheme = target.substr(0, std::min(colon, target.size()));
  if (colon == std::string_view::npos ||
      (!same_but_case(scheme, "http") && !same_but_case(scheme, "https")))
    return refuse(why, 400, "request target is neither a path nor an http URI");
  const size_t from = colon + 3;
  const size_t to = std::min(target.find_first_of("/?", from), target.size());
  out.form = target_form::absolute;
  out.host = {of.target().at + static_cast<uint32_t>(from), static_cast<uint32_t>(to - from)};
  out.path = tail(of.target(), to);
  if (!valid_host(of.text(out.host)))
    return refuse(why, 400, "malformed host in the request target");
  return true;
}

bool read_target(const head& of, request_framing& out, refusal& why) {
  const std::string_view target = of.target_text();
  if (of.method() == method_id::connect) {
    out.form = target_form::authority;
    out.host = of.target();
    out.path = {};
    const size_t colon = target.rfind(':');
    if (!valid_host(target) || colon == std::string_view::npos || colon + 1 == target.size() ||
        !is_digit(target.back()))
      return refuse(why, 400, "target of CONNECT is not host:port");
    return true;
  }
  out.path = of.target();
  if (target[0] == '/') {
    out.form = target_form::origin;
    return true;
  }
  if (target == "*") {
    out.form = target_form::asterisk;
    return of.method() == method_id::options || refuse(why, 400, "target * is for OPTIONS only");
  }
  return split_absolute(of, out, why);
}

/// Host: exactly one in HTTP/1.1, at most one in 1.0; well formed; the same as the target's.
bool read_host(const head& of, request_framing& out, refusal& why) {
  const uint32_t hosts = of.count(header_id::host);
  if (hosts > 1) return refuse(why, 400, "more than one Host");
  if (hosts == 0) return of.minor_version() == 0 || refuse(why, 400, "no Host in HTTP/1.1");
  const slice host = of.find(header_id::host)->value;
  if (!valid_host(of.text(host))) return refuse(why, 400, "malformed Host");
  const bool target_has_one =
      out.form == target_form::absolute || out.form == target_form::authority;
  if (target_has_one && !same_but_case(of.text(host), of.text(out.host)))
    return refuse(why, 400, "Host differs from the request target's");
  if (!target_has_one) out.host = host;
  return true;
}

bool read_expect(const head& of, request_framing& out, refusal& why) {
  if (of.count(header_id::expect) == 0 || of.minor_version() == 0) return true;
  if (of.count(header_id::expect) > 1 ||
      !same_but_case(of.value(*of.find(header_id::expect)), "100-continue"))
    return refuse(why, 417, "Expect is not exactly `100-continue`");
  // Without a body there is nothing to wait for.
  out.expect_continue = out.body != body_kind::none;
  return true;
}

}  // namespace

bool same_but_case(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

bool parse_length(std::string_view text, uint64_t& out) noexcept {
  if (text.empty() || text.size() > 19 || (text[0] == '0' && text.size() > 1)) return false;
  uint64_t value = 0;  // 19 digits fit
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  out = value;
  return value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}

bool valid_host(std::string_view host) noexcept {
  if (host.empty()) return false;
  if (host[0] == '[') {
    const size_t close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    // Hexadecimal digits, colons, the dots of an IPv4 tail. No zone: it means nothing elsewhere.
    for (const char c : host.substr(1, close - 1))
      if (!is_hex(c) && c != ':' && c != '.') return false;
    return valid_port(host.substr(close + 1));
  }
  size_t at = 0;
  while (at < host.size()) {
    if (reg_name[static_cast<uint8_t>(host[at])]) {
      ++at;
    } else if (host[at] == '%' && host.size() - at > 2 && is_hex(host[at + 1]) &&
               is_hex(host[at + 2])) {
      at += 3;
    } else {
      break;
    }
  }
  return at != 0 && valid_port(host.substr(at));
}

bool frame_request(const head& of, request_framing& out, refusal& why) {
  out = {};
  connection_options options;
  if (!read_target(of, out, why) || !read_host(of, out, why) || !read_length(of, out, why) ||
      !read_connection(of, options, why) || !read_expect(of, out, why))
    return false;
  if (of.method() == method_id::connect &&
      (of.count(header_id::content_length) | of.count(header_id::transfer_encoding)) != 0)
    return refuse(why, 400, "CONNECT with a body");
  if (of.method() == method_id::trace && out.body != body_kind::none)
    return refuse(why, 400, "TRACE with a body");
  const bool old = of.minor_version() == 0;
  out.keep_alive = !options.close && (!old || options.keep_alive);
  out.upgrade = !old && options.upgrade && of.count(header_id::upgrade) != 0;
  return true;
}

bool frame_response(const head& of, method_id asked, response_framing& out, refusal& why) {
  out = {};
  connection_options options;
  if (!read_length(of, out, why) || !read_connection(of, options, why)) return false;
  const bool old = of.minor_version() == 0;
  out.keep_alive = !options.close && (!old || options.keep_alive);
  const int status = of.status();
  const bool connected = asked == method_id::connect && status / 100 == 2;
  if (status == 101 || connected) {
    out.upgrade = status == 101 && options.upgrade && of.count(header_id::upgrade) != 0;
    out.tunnel = true;
    out.body = body_kind::none;
    out.length = 0;
    return true;
  }
  const bool never_a_body = status / 100 == 1 || status == 204;
  if (never_a_body || status == 304 || asked == method_id::head) {
    // A server that announces a body where none may be will perhaps send one.
    if (never_a_body && out.body != body_kind::none) out.keep_alive = false;
    out.body = body_kind::none;
    return true;
  }
  if (out.body == body_kind::none && of.count(header_id::content_length) == 0) {
    out.body = body_kind::until_close;
    out.keep_alive = false;
  }
  return true;
}

}  // namespace weft::rt::h1
