// SPDX-License-Identifier: Apache-2.0
// The connections of one client, as Go's http.Transport keeps them.
//
// Who wants a connection takes the one that became idle last. If there is none it queues for the
// next one to become idle, and a dial begins for it (or waits for its turn under
// conns_per_host_max). Whichever comes first serves it; what the dial brings then goes to the next
// one who waits, or becomes idle. So a burst costs no request the time of a dial that it does not
// need, and a dial is never wasted.
//
// An idle connection has no goroutine. Its stream is armed: bytes, an end, an error or the passing
// of idle_conn start one, which takes the connection out and closes it.
//
// Rejected: a goroutine per idle connection as Go's readLoop (a stack each); looking at the socket
// only when it is taken (a closed one stays and holds a descriptor, and the check costs a system
// call per request).
#pragma once

#include <array>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "weft/http/internal/client_conn.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/tls/context.hpp"

namespace weft::rt {

/// Somebody who wants a connection. All but `ready` is under the pool's lock.
struct wanted_conn {
  destination to;
  context ctx;  // its values, for the dial's trace
  /// In these queues, by position.
  std::list<std::shared_ptr<wanted_conn>>::iterator in_idle_queue;
  std::list<std::shared_ptr<wanted_conn>>::iterator in_dial_queue;
  bool queued_for_idle = false;
  bool queued_for_dial = false;
  /// Served, or has left.
  bool done = false;
  std::shared_ptr<client_conn> conn;
  error why;
  http::got_conn_info info;
  /// Gets one value when it is done.
  chan<std::monostate> ready = make_chan<std::monostate>(1);
};

/// All connections to one key.
struct pool_host {
  std::vector<std::shared_ptr<client_conn>> idle;  // the one of longest standing first
  /// Multiplexed ones, in use or not, until they take no further requests.
  std::vector<std::shared_ptr<client_conn>> shared;
  std::list<std::shared_ptr<wanted_conn>> idle_queue;
  std::list<std::shared_ptr<wanted_conn>> dial_queue;
  /// Open, in use or idle, or being dialed.
  size_t conns = 0;
};

class client_pool : public std::enable_shared_from_this<client_pool> {
 public:
  explicit client_pool(const http::client_options& options) : options_(options) {}
  ~client_pool();
  client_pool(const client_pool&) = delete;
  client_pool& operator=(const client_pool&) = delete;

  struct acquired {
    std::shared_ptr<client_conn> conn;
    http::got_conn_info info;
  };
  /// Parks until there is a connection, the deadline (default: none) or the context's end, and
  /// fails with what the dial says, deadline_exceeded, or the context's error. Dials go on without
  /// it.
  [[nodiscard]] result<acquired> acquire(const context& ctx, const destination& to,
                                         net::time_point deadline);
  /// A connection that may be used again. Closes it if there is no room, and says why.
  error put_idle(const std::shared_ptr<client_conn>& conn);
  /// A connection that is not idle is no more: makes room for the next dial.
  void forget(client_conn& conn);
  /// A request over a multiplexed connection has ended.
  void given_back(client_conn& conn);
  /// A multiplexed connection takes no further requests. May be called twice.
  void lost(client_conn& conn);
  /// Called by the armed watcher's goroutine.
  void woken(client_conn& conn);
  void close_idle();
  /// No connection becomes idle any more.
  void shut();

  enum class tls_purpose : uint8_t { server, proxy };
  /// Made when it is first asked for: reading the system's roots takes its time. A failure is tried
  /// again. May park.
  [[nodiscard]] result<net::tls_context> tls(tls_purpose purpose);

  [[nodiscard]] http::client_stats stats();
  void count_request();
  void count_retry();
  [[nodiscard]] const http::client_options& options() const noexcept { return options_; }

 private:
  using conns = std::vector<std::shared_ptr<client_conn>>;
  [[nodiscard]] std::shared_ptr<client_conn> take_idle(pool_host& host, http::got_conn_info& info,
                                                       conns& dead);
  [[nodiscard]] static bool arm(client_conn& conn);
  [[nodiscard]] static bool disarm(client_conn& conn);
  [[nodiscard]] static bool taken_out(client_conn& conn);
  void remove_idle(client_conn& conn);
  void close_all(std::span<const std::shared_ptr<client_conn>> those);
  void serve(wanted_conn& w, std::shared_ptr<client_conn> conn, error why);
  void leave_queues(wanted_conn& w);
  void start_dial(std::shared_ptr<wanted_conn> w);
  void dial_for(const std::shared_ptr<wanted_conn>& w);
  void one_less(pool_host& host);
  [[nodiscard]] bool share(const std::shared_ptr<client_conn>& conn, wanted_conn& w);
  void serve_by(pool_host& host, const std::shared_ptr<client_conn>& conn);
  void leave_host(client_conn& conn);
  [[nodiscard]] pool_host& host_of(const destination& to);
  void sweep();

  static constexpr size_t sweep_first = 256;

  const http::client_options options_;
  mutex lock_;
  std::unordered_map<std::string, std::unique_ptr<pool_host>> hosts_;
  size_t sweep_at_ = sweep_first;
  std::list<client_conn*> by_age_;  // all idle ones, oldest first
  http::client_stats stats_;
  bool shut_ = false;

  mutex tls_lock_;  // of what follows
  std::array<net::tls_context, 2> tls_;
};

/// Connects (through the proxy, with TLS, by the options) and makes a connection of it. May park.
[[nodiscard]] result<std::shared_ptr<client_conn>> dial_client_conn(
    const context& ctx, const destination& to, const http::client_options& options,
    std::shared_ptr<client_pool> pool);

/// HTTP/1.1 on `wire`.
[[nodiscard]] std::shared_ptr<client_conn> make_h1_client_conn(net::conn wire,
                                                               std::shared_ptr<client_pool> pool);
/// HTTP/2 on `wire`.
[[nodiscard]] std::shared_ptr<client_conn> make_h2_client_conn(net::conn wire,
                                                               std::shared_ptr<client_pool> pool);

}  // namespace weft::rt
