// SPDX-License-Identifier: Apache-2.0
// What a server's connections have in common: options, counters, and the list of who is there, by
// which shutdown() finds them.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/http/internal/h1_work.hpp"
#include "weft/http/server.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/pool.hpp"

namespace weft::rt {

/// A connection in the server's list. The derived class's constructor joins it at its end, and its
/// destructor leaves it: in between the virtual functions can be called.
class server_connection {
 public:
  server_connection(const server_connection&) = delete;
  server_connection& operator=(const server_connection&) = delete;
  /// shutdown(): end if idle, else after what is in flight. Under the list's lock: does not park
  /// for long and does not destroy.
  virtual void wind_up() noexcept = 0;
  /// What close() cuts.
  [[nodiscard]] virtual net::conn wire() const = 0;

 protected:
  explicit server_connection(std::shared_ptr<server_state> of) noexcept;
  virtual ~server_connection();
  [[nodiscard]] server_state& server() const noexcept { return *server_; }
  [[nodiscard]] const std::shared_ptr<server_state>& shared_server() const noexcept {
    return server_;
  }
  /// Null, or who served the connection until now: it leaves the list at the same moment.
  void join_list(server_connection* instead_of = nullptr) noexcept;
  /// May be called twice. The connection ends, or is somebody else's from now on (hijacked).
  void leave_list() noexcept;

  // For server_stats, without a word that all connections write: a tenth of a microsecond for each
  // request. One goroutine at a time calls these; stats() adds up what is in the list.
  enum class doing : uint32_t { other, waiting, serving };
  void now_doing(doing what) noexcept { doing_.store(static_cast<uint32_t>(what), relaxed); }
  void count_request() noexcept { served_.store(served_.load(relaxed) + 1, relaxed); }
  [[nodiscard]] uint64_t served() const noexcept { return served_.load(relaxed); }

 private:
  friend class server_state;
  std::shared_ptr<server_state> server_;
  server_connection* next_ = nullptr;
  server_connection* previous_ = nullptr;
  bool listed_ = false;
  atomic<uint32_t> doing_{static_cast<uint32_t>(doing::other)};
  atomic<uint64_t> served_{0};
};

class server_state final : public std::enable_shared_from_this<server_state> {
 public:
  explicit server_state(http::server_options options);

  const http::server_options options;
  /// Working memory of connections that are busy: the others have none.
  pool<h1_work> works;

  /// Counted with relaxed order: for people. `requests` and `requests_now` are without those of the
  /// listed connections' own counters.
  struct {
    atomic<uint64_t> connections{0};
    atomic<uint64_t> connections_now{0};
    atomic<uint64_t> requests{0};
    atomic<uint64_t> requests_now{0};
    atomic<uint64_t> bad_requests{0};
    atomic<uint64_t> panics{0};
  } count;

  /// shutdown() or close() was called. A connection that turns idle looks at it after it has said
  /// so, shutdown() looks for idle ones after it has set it: seq_cst on both sides.
  [[nodiscard]] bool closing() const noexcept { return closing_.load(seq_cst) != 0; }
  /// May park for a moment.
  [[nodiscard]] http::server_stats stats() const;
  void log(std::string_view line) const;
  /// What a handler threw, and where.
  void log_panic(std::exception_ptr what, const net::address& client);

  result<void> serve(net::listener on);
  result<void> shutdown(const context& ctx);
  void close();
  void on_shutdown(std::function<void()> f);
  /// Waits until shutdown() has gone through the list.
  void pass_list() noexcept;

 private:
  friend class server_connection;
  void accepted(net::conn made);
  /// False: the server closes.
  bool add(const net::listener& on);
  void remove(const net::listener& on);
  void join(server_connection& c, server_connection* instead_of) noexcept;
  void leave(server_connection& c) noexcept;
  void close_listeners() noexcept;

  atomic<uint32_t> closing_{0};
  mutable mutex lock_;
  // Under lock_.
  server_connection* first_ = nullptr;
  size_t listed_ = 0;
  std::vector<net::listener> listeners_;
  std::vector<std::function<void()>> hooks_;
  /// Closed when the list is empty while closing; made by shutdown().
  chan<bool> drained_;
  /// connections_max: who accepts waits for a place.
  chan<bool> places_;
};

}  // namespace weft::rt
