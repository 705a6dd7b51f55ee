// SPDX-License-Identifier: Apache-2.0
// What a client got.
#pragma once

#include <string>

#include "weft/http/body.hpp"
#include "weft/http/header.hpp"
#include "weft/http/request.hpp"

namespace weft::http {

/// Movable. Read `body` to its end, or close it: until then it holds its connection.
struct WEFT_API response {
  int status = 0;
  /// As sent; HTTP/2 has none.
  std::string reason;
  http::version version = http::version::http_1_1;
  http::header headers;
  http::body body;
  /// Where it came from: after redirects not what was asked for.
  http::url url;
  /// The client asked for compression on its own and has undone it: Content-Encoding and
  /// Content-Length are gone from `headers`.
  bool uncompressed = false;
};

}  // namespace weft::http
