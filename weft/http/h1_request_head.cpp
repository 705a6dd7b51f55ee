// SPDX-License-Identifier: Apache-2.0
// Request lines and fields. Everything that could end a line early was refused or escaped before:
// methods are tokens, targets are escaped, header::add() lets no line end in.
#include "weft/http/internal/h1_request_head.hpp"

#include <charconv>

#include "weft/http/internal/h1_framing.hpp"
#include "weft/http/internal/header_id.hpp"

namespace weft::rt {

namespace {

bool wants_length_of_nothing(std::string_view method) noexcept {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

void add_field(std::string& to, std::string_view name, std::string_view value) {
  to.append(name).append(": ").append(value).append("\r\n");
}

/// What says how the message is framed, and is said here or by the exchange.
bool is_ours(header_id id) noexcept {
  switch (id) {
    case header_id::host:
    case header_id::content_length:
    case header_id::transfer_encoding:
    case header_id::trailer:
      return true;
    default:
      return false;
  }
}

bool safe_host(std::string_view host) noexcept {
  for (const char c : host)
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F) return false;
  return !host.empty();
}

}  // namespace

result<request_framing_out> frame_client_request(const http::request& r) {
  if (!http::is_token(r.method)) return fail(error("http: invalid method \"" + r.method + '"'));
  if (r.method == "CONNECT")
    return fail(error("http: CONNECT makes a tunnel, not a request: use net::dial"));
  if (!r.host.empty() && !safe_host(r.host))
    return fail(error("http: invalid Host \"" + r.host + '"'));
  request_framing_out out;
  out.length = r.body.length();
  if (const auto declared = r.headers.find("Content-Length")) {
    uint64_t length = 0;
    if (!h1::parse_length(*declared, length))
      return fail(error("http: invalid Content-Length \"" + std::string(*declared) + '"'));
    if (out.length >= 0 && static_cast<uint64_t>(out.length) != length)
      return fail(error("http: Content-Length says " + std::string(*declared) +
                        " bytes, the body has " + std::to_string(out.length)));
    out.length = static_cast<int64_t>(length);
  }
  out.expects_continue = out.length != 0 && r.headers.has_token("Expect", "100-continue");
  out.closes = r.headers.has_token("Connection", "close");
  return out;
}

std::string make_request_head(const http::request& r, const request_framing_out& how,
                              const request_head_extras& extras) {
  std::string out;
  constexpr size_t usual = 512;
  out.reserve(usual + r.headers.text_bytes());
  out.append(r.method).append(1, ' ');
  if (extras.whole_url) out.append("http://").append(r.url.host);
  out.append(r.url.target()).append(" HTTP/1.1\r\n");
  add_field(out, "Host", r.host.empty() ? r.url.host : r.host);
  bool has_agent = false;
  std::string cookies(extras.cookies);
  for (const http::header::field f : r.headers) {
    const header_id id = find_header_id(f.name);
    if (is_ours(id)) continue;
    if (id == header_id::user_agent) {
      has_agent = true;
      if (f.value.empty()) continue;  // as Go: sends none
    }
    if (id == header_id::cookie && !cookies.empty()) {
      cookies.insert(0, "; ").insert(0, f.value);
      continue;
    }
    add_field(out, f.name, f.value);
  }
  if (!has_agent && !extras.user_agent.empty()) add_field(out, "User-Agent", extras.user_agent);
  if (!cookies.empty()) add_field(out, "Cookie", cookies);
  if (extras.accept_compression) add_field(out, "Accept-Encoding", "gzip, zstd");
  if (!r.url.user.empty() && !r.headers.has("Authorization"))
    add_field(out, "Authorization", basic_authorization(r.url.user));
  if (!extras.proxy_authorization.empty())
    add_field(out, "Proxy-Authorization", extras.proxy_authorization);
  if (extras.close && !how.closes) add_field(out, "Connection", "close");
  if (how.length < 0) {
    add_field(out, "Transfer-Encoding", "chunked");
    if (!r.trailers.empty()) {
      std::string names;
      for (const http::header::field f : r.trailers)
        names.append(names.empty() ? "" : ", ").append(f.name);
      add_field(out, "Trailer", names);
    }
  } else if (how.length > 0 || wants_length_of_nothing(r.method)) {
    add_field(out, "Content-Length", std::to_string(how.length));
  }
  out += "\r\n";
  return out;
}

std::string basic_authorization(std::string_view user) {
  const size_t colon = user.find(':');
  std::string plain = http::path_unescape(user.substr(0, colon)).value_or("") + ':';
  if (colon != std::string_view::npos)
    plain += http::path_unescape(user.substr(colon + 1)).value_or("");
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out = "Basic ";
  for (size_t i = 0; i < plain.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < plain.size() ? static_cast<unsigned char>(plain[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      out += i + k <= plain.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace weft::rt
