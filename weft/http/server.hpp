// SPDX-License-Identifier: Apache-2.0
// The server: listeners in, handlers called.
//
//   weft::http::mux routes;
//   routes.handle("GET /users/{id}", [](auto& w, auto& r) { w.write(r.path_value("id")); });
//   weft::http::server server({.handler = std::ref(routes)});
//   server.listen_and_serve("127.0.0.1:8080");
//
// HTTP/1.1 and HTTP/2 on the same port: by ALPN under TLS, by the client's preface without it
// (h2c). A connection that waits for its next request holds no goroutine and no buffers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/handler.hpp"
#include "weft/net/listener.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {
class server_state;
}

namespace weft::net {
struct tls_config;
}

namespace weft::http {

/// Zero: without a limit. All are on by default (Go's are not).
struct server_timeouts {
  /// From the first byte of a request (or the connection's beginning) to the end of its head. 408.
  std::chrono::nanoseconds read_header = std::chrono::seconds(10);
  /// From the end of the head to the end of the request's body.
  std::chrono::nanoseconds read = std::chrono::minutes(5);
  /// From the end of the request's head to the end of the answer. What streams for longer sets its
  /// own by response_writer::set_write_deadline().
  std::chrono::nanoseconds write = std::chrono::minutes(5);
  /// Between requests.
  std::chrono::nanoseconds idle = std::chrono::minutes(2);
  /// For handlers: the deadline of request::ctx(). Without effect on those that don't look at it.
  std::chrono::nanoseconds handler{0};
};

/// What a client may ask of the server. Exceeding one is answered by the status given, and the
/// connection is closed.
struct server_limits {
  /// Of a request's head: its line and fields. 431.
  size_t header_bytes_max = size_t{64} << 10;
  /// 431.
  size_t header_fields_max = 200;
  /// The request line's target. 414.
  size_t target_bytes_max = size_t{8} << 10;
  /// 413. Per handler: http::limit_body().
  uint64_t body_bytes_max = uint64_t{64} << 20;
  /// Connections open at a time; further ones wait in the listener's queue. 0: as many as the
  /// process may have descriptors.
  size_t connections_max = 0;
  /// Requests on one connection before it is closed. 0: without limit.
  uint64_t requests_per_connection_max = 0;
};

/// Against clients that keep a server busy with frames instead of requests. A connection that
/// exceeds one gets GOAWAY with ENHANCE_YOUR_CALM.
struct h2_limits {
  /// SETTINGS_MAX_CONCURRENT_STREAMS.
  uint32_t streams_max = 250;
  /// Streams that the client itself reset, within `window` (rapid reset, CVE-2023-44487).
  uint32_t resets_max = 200;
  /// PING, SETTINGS, PRIORITY and empty frames within `window`.
  uint32_t control_frames_max = 1000;
  std::chrono::nanoseconds window = std::chrono::seconds(10);
  /// CONTINUATION frames of one header block.
  uint32_t continuations_max = 32;
  /// Frames waiting to be sent to a client that does not read.
  uint32_t outgoing_frames_max = 10000;
  /// Flow-control windows: what a stream and a connection may send before a handler has read it.
  uint32_t stream_window_bytes = 1 << 20;
  uint32_t connection_window_bytes = 1 << 20;
  uint32_t frame_bytes_max = 1 << 14;
};

struct server_options {
  /// Null: 404 for everything.
  http::handler handler{};
  server_timeouts timeouts{};
  server_limits limits{};
  h2_limits h2{};
  bool http1 = true;
  /// Over TLS, by ALPN.
  bool http2 = true;
  /// HTTP/2 without TLS: by prior knowledge, and by Upgrade: h2c.
  bool h2c = true;
  /// Sent as Date and Server; an empty name: no Server field.
  bool date = true;
  std::string_view server_name{};
  /// Parent of the requests' contexts; nil: background().
  context base{};
  /// Gets a line for what goes wrong on connections and in handlers. Null: standard error.
  std::function<void(std::string_view)> log{};
};

/// Counted since the server was made, but for what says "now".
struct server_stats {
  uint64_t connections = 0;
  uint64_t connections_now = 0;
  /// Of those, waiting for a request with no goroutine.
  uint64_t idle_now = 0;
  uint64_t requests = 0;
  uint64_t requests_now = 0;
  uint64_t bad_requests = 0;
  uint64_t panics = 0;
};

/// A shared handle, as net::listener. Not copied while it is configured: make it, then serve.
class WEFT_API server {
 public:
  explicit server(server_options options);

  /// Serves a listener until shutdown() or close(), then returns http::server_closed; or until it
  /// fails for good. Parks. May be called for several listeners at once. Closes the listener.
  result<void> serve(net::listener on) const;
  /// Listens on "host:port" (or "unix:/path") and serves.
  result<void> listen_and_serve(std::string_view where) const;
  /// The same with TLS. Without protocols of its own (tls_config::alpn) it offers those that the
  /// options allow.
  result<void> listen_and_serve_tls(std::string_view where, net::tls_config with) const;

  /// Closes the listeners and what is idle, asks the rest to end after their requests in flight
  /// (Connection: close, GOAWAY), and waits for them; hijacked connections are not waited for.
  /// Fails with the context's error if that ends first; what is left then goes on until close().
  result<void> shutdown(const context& ctx) const;
  /// Cuts everything.
  void close() const;
  /// Called at the beginning of shutdown(), on goroutines of their own.
  void on_shutdown(std::function<void()> f) const;

  /// Goes through the connections. May park for a moment.
  [[nodiscard]] server_stats stats() const;
  [[nodiscard]] const server_options& options() const noexcept;

 private:
  std::shared_ptr<rt::server_state> state_;
};

/// "http: server closed": what serve() returns after shutdown() and close().
extern WEFT_API const error server_closed;

/// A smaller (or larger) limit than the server's for one handler's bodies.
[[nodiscard]] WEFT_API handler limit_body(handler inner, uint64_t bytes_max);

}  // namespace weft::http
