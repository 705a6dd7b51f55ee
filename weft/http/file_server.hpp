// SPDX-License-Identifier: Apache-2.0
// Files of a directory, as Go's http.FileServer, and stricter.
//
//   routes.handle("/static/", http::strip_prefix("/static", http::file_server("/srv/www")));
#pragma once

#include <string>

#include "weft/http/handler.hpp"

namespace weft::http {

struct file_server_options {
  /// What is served for a directory; empty: nothing.
  std::string index = "index.html";
  /// A page with the names in a directory that has no index; else 404.
  bool list_directories = false;
  /// Files and folders whose names begin with a dot (but for /.well-known/): else 404. They are
  /// configuration, histories and keys more often than content.
  bool hidden_files = false;
  /// Sent as Cache-Control, if it is not empty: "public, max-age=3600".
  std::string cache_control{};
};

/// Serves what is below `root`, with ranges and conditions (serve_content()); Last-Modified and an
/// Etag made of size and time. "/dir" is redirected to "/dir/", "/dir/index.html" to "/dir/",
/// "/file/" to "/file". Only regular files are served: no devices, no FIFOs.
///
/// No request reads a file outside of `root`, whatever the path says and however the tree changes
/// meanwhile: the kernel keeps the path below it (openat2, RESOLVE_BENEATH). Symbolic links work as
/// long as they stay inside and are relative. Panics if the root cannot be opened. `root` is opened
/// once: a directory put in its place later is not seen.
[[nodiscard]] WEFT_API handler file_server(const std::string& root,
                                           file_server_options options = {});

/// Serves one file. `path` is the program's: if it comes from a request in any way, this is not the
/// function to call.
WEFT_API void serve_file(response_writer& w, request& r, const std::string& path);

}  // namespace weft::http
