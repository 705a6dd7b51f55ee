// SPDX-License-Identifier: Apache-2.0
// A request: what a server got, or what a client sends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/http/body.hpp"
#include "weft/http/header.hpp"
#include "weft/http/url.hpp"
#include "weft/net/address.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {

/// The connection or stream that a server's request came over.
class http_origin {
 public:
  http_origin() = default;
  http_origin(const http_origin&) = delete;
  http_origin& operator=(const http_origin&) = delete;
  /// Made when it is first asked for: ends with the handler, the connection, and the client.
  [[nodiscard]] virtual context request_context() = 0;
  [[nodiscard]] virtual const net::address& remote() const noexcept = 0;
  [[nodiscard]] virtual const net::address& local() const noexcept = 0;
  /// TLS underneath.
  [[nodiscard]] virtual bool secure() const noexcept = 0;

 protected:
  ~http_origin() = default;
};

}  // namespace weft::rt

namespace weft::http {

enum class version : uint8_t { http_1_0, http_1_1, http_2 };
/// "HTTP/1.1"
[[nodiscard]] WEFT_API std::string_view to_string(version v) noexcept;

/// Movable. A server's is valid during its handler.
class WEFT_API request {
 public:
  request() = default;
  /// For a client. A bad method or URL is reported by client::send().
  request(std::string_view method, std::string_view where, http::body content = {});

  std::string method{"GET"};
  http::url url;
  /// What the Host field (":authority" in HTTP/2) says: host, and port if one was given. A client
  /// sends url.host if this is empty.
  std::string host;
  /// Without Host, and without what frames the message (Content-Length, Transfer-Encoding): `body`
  /// says that. A client's may have it; it is checked against the body.
  http::header headers;
  http::body body;
  http::version version = http::version::http_1_1;
  /// A client's: fields sent after a body of unknown length. A server's come with the body.
  http::header trailers;

  /// A server's: ends when the handler returns, when the client has left, and at the deadline that
  /// the server sets or the caller sent. A client's: what set_context() gave, or background().
  [[nodiscard]] const context& ctx() const;
  void set_context(context ctx) noexcept { ctx_ = std::move(ctx); }

  /// The part of the path that matched {name} in the mux's pattern; empty if there is none.
  [[nodiscard]] std::string_view path_value(std::string_view name) const noexcept;
  void set_path_value(std::string name, std::string value);
  /// The pattern that matched, as it was registered; empty without a mux.
  [[nodiscard]] std::string_view pattern() const noexcept { return pattern_; }
  void set_pattern(std::string_view pattern) { pattern_ = pattern; }
  /// The first value of this name in the URL's query.
  [[nodiscard]] std::string query_value(std::string_view name) const;

  /// A server's.
  [[nodiscard]] const net::address& remote_addr() const noexcept;
  [[nodiscard]] const net::address& local_addr() const noexcept;
  [[nodiscard]] bool secure() const noexcept { return origin_ != nullptr && origin_->secure(); }

  /// For Weft's own code.
  [[nodiscard]] rt::http_origin* origin() const noexcept { return origin_; }
  void set_origin(rt::http_origin* origin) noexcept { origin_ = origin; }
  /// Why the constructor's URL is none; false if it is one.
  [[nodiscard]] const error& bad_url() const noexcept { return bad_url_; }
  /// As new, with the memory kept.
  void reset() noexcept;

 private:
  mutable context ctx_;
  rt::http_origin* origin_ = nullptr;
  std::string pattern_;
  std::vector<std::pair<std::string, std::string>> path_values_;
  error bad_url_;
};

}  // namespace weft::http
