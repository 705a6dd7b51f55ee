// SPDX-License-Identifier: Apache-2.0
// A client's request as bytes: line and fields.
#pragma once

#include <string>

#include "weft/base/error.hpp"
#include "weft/http/request.hpp"

namespace weft::rt {

/// How a request's body goes over the wire.
struct request_framing_out {
  /// -1: in chunks.
  int64_t length = 0;
  /// The request says `Expect: 100-continue`, and there is something to wait with.
  bool expects_continue = false;
  /// It says `Connection: close`.
  bool closes = false;
};

/// Checks what would make another message of it, and what contradicts the body.
[[nodiscard]] result<request_framing_out> frame_client_request(const http::request& r);

struct request_head_extras {
  /// "Proxy-Authorization: ...", for plain requests through a proxy.
  std::string_view proxy_authorization;
  std::string_view user_agent;  // unless the request has one
  std::string_view cookies;     // joined to the request's own
  bool accept_compression = false;
  bool whole_url = false;  // as the target
  bool close = false;
};
[[nodiscard]] std::string make_request_head(const http::request& r, const request_framing_out& how,
                                            const request_head_extras& extras);

/// "Basic dXNlcjpwdw==" of a URL's "user:password", whose escapes are undone.
[[nodiscard]] std::string basic_authorization(std::string_view user);

}  // namespace weft::rt
