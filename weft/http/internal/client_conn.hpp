// SPDX-License-Identifier: Apache-2.0
// A client's connection as its pool sees it, and one request's way over it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/http/client.hpp"
#include "weft/net/internal/stream.hpp"

namespace weft::rt {

class client_pool;
struct pool_host;

/// Where a connection leads. Two requests with the same key may use the same connections.
struct destination {
  bool tls = false;
  std::string host;  // for TLS, lower case
  std::string host_port;
  /// Set: through it. The target of a plain request is then a whole URL.
  std::optional<http::url> proxy;
  std::string key;
};

/// How a failed exchange may be repeated.
enum class failure_kind : uint8_t {
  final,
  nothing_written,  // the peer has seen nothing of it
  no_first_byte,    // it may have, but did not begin to answer
};

/// One attempt to send a request. Lives on the sender's stack.
struct exchange {
  http::request& request;
  const context& ctx;
  const http::client_options& options;
  /// Of the whole request; a default one: none.
  net::time_point deadline;
  const http::client_trace* trace = nullptr;
  /// The request line's target is a whole URL.
  bool through_proxy = false;
  std::string_view proxy_authorization{};
  /// From the store.
  std::string_view cookies{};
  /// Was added by the client, so it undoes it.
  bool asks_compression = false;
  /// The connection has carried a request before.
  bool reused = false;
  failure_kind failure = failure_kind::final;
};

class client_conn : public std::enable_shared_from_this<client_conn>, public read_watcher {
 public:
  client_conn() = default;
  client_conn(const client_conn&) = delete;
  client_conn& operator=(const client_conn&) = delete;
  virtual ~client_conn() = default;

  /// Sends and waits for the response's head. May park. The connection goes back to the pool, or is
  /// closed, when the response's body has ended, or at once on failure.
  [[nodiscard]] virtual result<http::response> round_trip(exchange& x) = 0;
  /// Any number of times, from anywhere.
  virtual void close() noexcept = 0;
  [[nodiscard]] virtual const net::conn& wire() const noexcept = 0;
  /// Carries several requests at a time, so it stays in the pool while it is used.
  [[nodiscard]] virtual bool multiplexed() const noexcept { return false; }
  /// A multiplexed one: takes a place for one more request; false: none is free.
  [[nodiscard]] virtual bool reserve() noexcept { return false; }
  virtual void unreserve() noexcept {}
  /// A multiplexed one: takes no further requests, and ends after those that run.
  virtual void wind_up() noexcept {}

  /// Armed while it is idle: whatever arrives then ends it.
  void readable() final;

  // The pool's, under its lock.
  struct bookkeeping {
    pool_host* host = nullptr;
    bool idle = false;
    bool reused = false;
    /// A multiplexed one's: those that run over it; it takes no more of them.
    size_t requests = 0;
    bool lost = false;
    net::time_point idle_since;
    std::list<client_conn*>::iterator by_age;
    /// Goroutines of its watcher that are yet to run and have nothing to say: see taken_out().
    size_t overtaken = 0;
    /// Off the lists, and a goroutine of its watcher is to close it.
    bool left_to_watcher = false;
    /// Keeps it alive while its watcher is armed or a goroutine of it is about to run.
    std::shared_ptr<client_conn> armed;
  } pooled;
  std::shared_ptr<client_pool> pool;
};

}  // namespace weft::rt
