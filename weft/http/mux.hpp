// SPDX-License-Identifier: Apache-2.0
// Which handler a request goes to, by Go 1.22's patterns.
#pragma once

#include <memory>
#include <string_view>

#include "weft/http/handler.hpp"

namespace weft::http {

/// A pattern is "[METHOD ][HOST]/PATH":
///
///   "/"                     every path (a pattern that ends in a slash matches what is below)
///   "GET /users/{id}"       one segment, request::path_value("id"); GET matches HEAD, too
///   "/files/{path...}"      the rest of the path
///   "/posts/{$}"            exactly "/posts/"
///   "api.example.org/v1/"   this host only
///
/// Of two patterns that match, the more specific one wins: the one that matches fewer requests.
/// Two of which neither is more specific are a conflict. A path that matches only with other
/// methods is answered 405 with Allow; "/tree" is redirected to "/tree/" if only that is
/// registered; an unclean path ("/a/../b", "//") to the clean one.
class WEFT_API mux {
 public:
  mux();
  ~mux();
  mux(mux&&) noexcept;
  mux& operator=(mux&&) noexcept;

  /// Panics for a bad pattern and for a conflict, naming both patterns. Not while serving.
  void handle(std::string_view pattern, handler h);
  /// Serves; so a mux is a handler itself (by reference: server{.handler = std::ref(m)}).
  void operator()(response_writer& w, request& r) const;
  /// The pattern that a request would go to; empty if none.
  [[nodiscard]] std::string_view match(const request& r) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Takes a prefix off the path before `inner` sees it; 404 for paths without it.
[[nodiscard]] WEFT_API handler strip_prefix(std::string prefix, handler inner);

}  // namespace weft::http
