// SPDX-License-Identifier: Apache-2.0
// The client: requests out, answers in, over connections that are kept and used again.
//
//   weft::http::client client;
//   auto answer = client.get(ctx, "http://example.org/");
//   if (!answer) return fail(answer.error());
//   auto text = answer->body.read_all();
//
// Semantics are those of Go's http.Client and http.Transport, with timeouts that are on: a peer
// that vanishes without a word costs a request seconds, not for ever. An idle connection holds
// neither a goroutine nor a buffer, and leaves the pool the moment the server closes it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/client_trace.hpp"
#include "weft/http/cookie_jar.hpp"
#include "weft/http/proxy.hpp"
#include "weft/http/request.hpp"
#include "weft/http/response.hpp"
#include "weft/net/conn.hpp"
#include "weft/sync/context.hpp"
#include "weft/tls/config.hpp"

namespace weft::http {

/// Zero: without a limit. All are on by default.
struct client_timeouts {
  /// All of it: redirects, retries, and reading the response's body. The context's deadline counts
  /// as well. For one long stream: client::with_request_timeout(0s).
  std::chrono::nanoseconds request = std::chrono::minutes(2);
  std::chrono::nanoseconds dial = std::chrono::seconds(30);
  std::chrono::nanoseconds tls_handshake = std::chrono::seconds(10);
  /// From the request's end to the end of the response's head.
  std::chrono::nanoseconds response_header = std::chrono::seconds(30);
  /// Without a byte of the response's body while it is waited for, or without the peer taking one
  /// of the request's.
  std::chrono::nanoseconds stall = std::chrono::seconds(30);
  /// How long "Expect: 100-continue" waits before the body is sent all the same.
  std::chrono::nanoseconds expect_continue = std::chrono::seconds(1);
  /// After which an unused connection is closed.
  std::chrono::nanoseconds idle_conn = std::chrono::seconds(90);
};

struct client_limits {
  /// Open ones to one host and port: used, idle and being dialed. Who must wait does so in order of
  /// arrival. 0: without limit.
  size_t conns_per_host_max = 0;
  /// Kept for later. Go keeps 2 of a host, so that a busy client dials all the time.
  size_t idle_conns_per_host_max = 100;
  size_t idle_conns_max = 1000;
  /// Of a response's head.
  size_t header_bytes_max = size_t{256} << 10;
  size_t header_fields_max = 500;
  size_t redirects_max = 10;
};

struct client_options {
  client_timeouts timeouts{};
  client_limits limits{};
  /// Asked before each redirect is followed, with the request to come and those made so far, oldest
  /// first. An error ends the request with it; http::use_last_response: the redirect itself is the
  /// answer.
  std::function<result<void>(const request& next, std::span<const url> made)> redirect{};
  /// Shared by those who are to be the same visitor. Null: none are kept.
  std::shared_ptr<cookie_jar> cookies{};
  /// Null: none. See proxy.hpp.
  proxy_function proxy{};
  /// For https: whom to trust, certificates of our own. The name that the server must have is the
  /// URL's, unless `server_name` says another one; the handshake's limit is timeouts.tls_handshake.
  net::tls_config tls{};
  /// Instead of net::dial, which connects to "host:port" by TCP: for Unix sockets, tests, tunnels.
  std::function<result<net::conn>(const context& ctx, std::string_view host_port)> dial{};
  /// Asks for gzip and zstd, and undoes them, unless the request says Accept-Encoding or Range
  /// itself. At most `decompressed_bytes_max` come out of it.
  bool compression = true;
  uint64_t decompressed_bytes_max = uint64_t{1} << 30;
  /// Tells the callee the trace of the request's context, and how much time is left: for servers of
  /// one's own (propagation.hpp).
  bool propagate = false;
  /// Over TLS, if the server says so by ALPN: one connection carries all requests to it.
  bool http2 = true;
  /// "http" URLs are asked in HTTP/2 from the start (prior knowledge), unless through a proxy: for
  /// servers that are known to speak it.
  bool h2c = false;
  /// False: each connection carries one request.
  bool keep_alive = true;
  std::string user_agent = "weft-http/0.1";
};

/// Counted since the client was made, but for what says "now".
struct client_stats {
  /// Redirects among them, retries not.
  uint64_t requests = 0;
  uint64_t dials = 0;
  uint64_t dials_failed = 0;
  /// Requests that went out on a connection that had carried one before.
  uint64_t reuses = 0;
  /// Requests sent again since their connection was dead.
  uint64_t retries = 0;
  uint64_t idle_now = 0;
  uint64_t in_use_now = 0;
  uint64_t dialing_now = 0;
  /// Requests that wait for one of `conns_per_host_max`.
  uint64_t waiting_now = 0;
};

/// A shared handle: copies use the same connections. Any goroutine or thread may call it at any
/// time. When the last handle goes, idle connections are closed; responses may still be read.
class WEFT_API client {
 public:
  client() : client(client_options{}) {}
  explicit client(client_options options);

  /// Sends `r`, follows redirects, and returns when the response's head is there. May park. A
  /// status of 4xx or 5xx is no error. Errors are `Get "URL": WHY`; err.timeout() is true for all
  /// limits of time, err.is(weft::canceled) when the context was canceled, which ends any phase at
  /// once. The body that was not sent is dropped.
  ///
  /// Sent again on another connection, without being asked: what went out on a connection that was
  /// used before and turned out to be dead, if nothing had been written and there is no body or it
  /// can be had again, or if no byte came back and the method is GET, HEAD, OPTIONS or TRACE or
  /// there is an Idempotency-Key.
  [[nodiscard]] result<response> send(request r) const;

  [[nodiscard]] result<response> get(const context& ctx, std::string_view where) const;
  [[nodiscard]] result<response> head(const context& ctx, std::string_view where) const;
  [[nodiscard]] result<response> post(const context& ctx, std::string_view where,
                                      std::string_view content_type, http::body content) const;

  /// The same connections under another limit for whole requests; zero: none.
  [[nodiscard]] client with_request_timeout(std::chrono::nanoseconds limit) const;

  /// Closes what is idle now.
  void close_idle() const;
  [[nodiscard]] client_stats stats() const;
  [[nodiscard]] const client_options& options() const noexcept;

 private:
  class state;
  explicit client(std::shared_ptr<state> of) noexcept : state_(std::move(of)) {}
  std::shared_ptr<state> state_;
};

/// What client_options::redirect returns to stop without an error.
extern WEFT_API const error use_last_response;

}  // namespace weft::http
