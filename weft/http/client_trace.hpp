// SPDX-License-Identifier: Apache-2.0
// What a client does for one request, step by step; Go's net/http/httptrace.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/header.hpp"
#include "weft/net/address.hpp"
#include "weft/sync/context.hpp"

namespace weft::http {

struct got_conn_info {
  net::address local;
  net::address remote;
  /// It had carried a request before.
  bool reused = false;
  /// It came out of the pool of idle ones, where it had been for `idle_time`.
  bool was_idle = false;
  std::chrono::nanoseconds idle_time{0};
};

/// Functions that are called as a request proceeds; any of them may be empty. The connection's own
/// steps (dns, connect, tls) may be called from another goroutine, and also after the request has
/// ended: a dial that was overtaken goes on.
struct client_trace {
  /// Before a connection is looked for: "host:port".
  std::function<void(std::string_view host_port)> get_conn{};
  std::function<void(const got_conn_info&)> got_conn{};
  /// The connection went back to the pool, or why not.
  std::function<void(const error&)> put_idle_conn{};
  /// A lookup of a name that is no address.
  std::function<void(std::string_view host)> dns_start{};
  std::function<void(size_t addresses, const error&)> dns_done{};
  std::function<void(std::string_view network, std::string_view address)> connect_start{};
  std::function<void(std::string_view network, std::string_view address, const error&)>
      connect_done{};
  std::function<void()> tls_start{};
  std::function<void(const error&)> tls_done{};
  std::function<void()> wrote_headers{};
  std::function<void()> wait_100_continue{};
  /// With the body; or why it was not.
  std::function<void(const error&)> wrote_request{};
  std::function<void()> first_byte{};
  /// 100 Continue, 103 Early Hints.
  std::function<void(int status, const header&)> got_1xx{};
};

/// A context whose requests are traced. Of two on the way up the nearest is called.
[[nodiscard]] WEFT_API context with_trace(const context& parent, client_trace trace);
/// Null: none. Valid as long as the context.
[[nodiscard]] WEFT_API const client_trace* trace_of(const context& ctx) noexcept;

}  // namespace weft::http
