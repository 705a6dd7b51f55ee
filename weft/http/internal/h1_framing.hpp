// SPDX-License-Identifier: Apache-2.0
// What a head says about its message as a whole: where the body ends, what becomes of the
// connection, which host is meant. This is where smuggled requests are found out: a message whose
// end two readers could see in different places is refused, also where RFC 9112 lets a recipient
// decide for one of them.
//
//   Content-Length and Transfer-Encoding together; either of them twice, even if equal; a length
//   that is not digits only; a coding that is not exactly `chunked`; a coding in HTTP/1.0
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/base/export.hpp"
#include "weft/http/internal/h1_head.hpp"

namespace weft::rt::h1 {

enum class body_kind : uint8_t {
  none,
  length,       // `length` bytes; not 0
  chunked,      // h1_body.hpp
  until_close,  // responses only
};

enum class target_form : uint8_t { origin, absolute, authority, asterisk };

/// What both kinds of messages have.
struct framing {
  body_kind body = body_kind::none;
  uint64_t length = 0;
  /// The connection can carry another message after this one.
  bool keep_alive = false;
  /// `Connection: upgrade` with an Upgrade field; a response with status 101 that has both.
  bool upgrade = false;
};

struct request_framing : framing {
  /// The client waits for 100 Continue before it sends the body. (Ignored in HTTP/1.0, as it must
  /// be.)
  bool expect_continue = false;
  target_form form = target_form::origin;
  /// From an absolute target, or the Host field: `name`, `name:port`. Empty only in HTTP/1.0.
  slice host;
  /// Path and query: the target, or what follows the authority in an absolute one (then it may be
  /// empty, which means "/"); `*`; for CONNECT empty.
  slice path;
};

struct response_framing : framing {
  /// The connection is a tunnel from here on: an answer of 2xx to CONNECT, or 101.
  bool tunnel = false;
};

/// Of a request's head that parse_request() said ok to. False: refused, and why.
[[nodiscard]] WEFT_API bool frame_request(const head& of, request_framing& out, refusal& why);

/// Of a response's head, which answers a request with this method.
[[nodiscard]] WEFT_API bool frame_response(const head& of, method_id asked, response_framing& out,
                                           refusal& why);

/// `name`, `1.2.3.4`, `[::1]`, each with or without `:port`. Percent-encoded and sub-delimiter
/// characters are allowed, as in RFC 3986; user names are not.
[[nodiscard]] WEFT_API bool valid_host(std::string_view host) noexcept;

/// Digits only, without leading zeros, no more than INT64_MAX.
[[nodiscard]] WEFT_API bool parse_length(std::string_view text, uint64_t& out) noexcept;

/// True if a and b differ in the case of ASCII letters only.
[[nodiscard]] WEFT_API bool same_but_case(std::string_view a, std::string_view b) noexcept;

}  // namespace weft::rt::h1
