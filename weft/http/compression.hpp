// SPDX-License-Identifier: Apache-2.0
// Content codings: gzip and zstd for answers, and undone for what comes in.
//
//   auto h = http::chain(std::ref(routes), {http::compression()});
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/http/body.hpp"
#include "weft/http/handler.hpp"

namespace weft::http {

struct compression_options {
  bool gzip = true;
  bool zstd = true;
  /// Shorter answers are sent as they are: they fit a packet anyway. What is flushed before is
  /// compressed whatever its size.
  size_t bytes_min = 1024;
  int gzip_level = 6;  // 1..9
  int zstd_level = 3;  // 1..19
  /// Types that are compressed, without parameters; "text/*" stands for all of them. What is not
  /// here is compressed already (pictures, films, archives), or unknown.
  std::vector<std::string> types = {"text/*",
                                    "application/json",
                                    "application/javascript",
                                    "application/xml",
                                    "application/ld+json",
                                    "application/manifest+json",
                                    "application/wasm",
                                    "application/xhtml+xml",
                                    "application/yaml",
                                    "image/svg+xml",
                                    "image/bmp",
                                    "image/vnd.microsoft.icon",
                                    "font/ttf",
                                    "font/otf"};
};

/// Compresses answers by what Accept-Encoding likes best; zstd of two it likes alike. Streams: a
/// flush() by the handler reaches the client. Adds Vary, makes an Etag weak (other bytes, same
/// content), drops Content-Length and Accept-Ranges. Leaves alone what has a Content-Encoding or a
/// Content-Range, parts (206), answers without content, and "Cache-Control: no-transform".
///
/// Where an answer has both a secret and something that the requester chose, its compressed length
/// tells of the secret (BREACH): leave those handlers out.
[[nodiscard]] WEFT_API middleware compression(compression_options options = {});

/// `content` as it was before `content_encoding` ("gzip", "x-gzip", "deflate", "zstd", "identity"
/// or nothing). More than `bytes_max` out of it fails with http::body_too_large: a kilobyte may
/// stand for a gigabyte. Fails at once for other encodings and for more than one, which nobody has
/// use for but to hide a bomb in a bomb.
[[nodiscard]] WEFT_API result<body> decode_body(body content, std::string_view content_encoding,
                                                uint64_t bytes_max);

/// For requests with a Content-Encoding: the handler reads the body decoded, up to `bytes_max`, and
/// sees no Content-Encoding. Unknown ones are answered 415, with Accept-Encoding (RFC 7694).
[[nodiscard]] WEFT_API middleware decompression(uint64_t bytes_max = uint64_t{64} << 20);

}  // namespace weft::http
