// SPDX-License-Identifier: Apache-2.0
// The server: listeners, one goroutine per client, and the end of it all.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "options.hpp"
#include "pubsub.hpp"
#include "resp.hpp"
#include "session.hpp"
#include "store.hpp"
#include "weft/base/error.hpp"
#include "weft/net/listener.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace kv {

/// Counters that INFO shows. Added to once per batch of commands.
struct server_stats {
  std::atomic<uint64_t> commands{0};
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> refused{0};
};

class server {
 public:
  explicit server(server_options how);

  /// Binds. An error names the address.
  [[nodiscard]] weft::result<void> listen();
  /// Accepts and serves until `ctx` ends; then stops accepting, lets clients finish the requests
  /// they have sent, and returns.
  void run(const weft::context& ctx);

  [[nodiscard]] const server_options& options() const noexcept { return options_; }
  [[nodiscard]] weft::net::address addr() const { return tcp_.addr(); }
  [[nodiscard]] pubsub& channels() noexcept { return channels_; }
  [[nodiscard]] const weft::context& stopping() const noexcept { return stopping_; }
  [[nodiscard]] int64_t started_ms() const noexcept { return started_ms_; }
  [[nodiscard]] size_t client_count();
  /// CLIENT LIST.
  [[nodiscard]] std::string describe_clients(uint64_t only_id = 0);
  void set_name(session& s, std::string_view name);
  [[nodiscard]] std::string name_of(session& s);
  /// CONFIG SET; false: unknown or bad.
  [[nodiscard]] bool configure(std::string_view name, std::string_view text);
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> configuration();

  server_stats stats;

 private:
  void accept_clients(const weft::net::listener& from);
  void serve(weft::net::conn c, uint64_t id);
  void serve_commands(session& s);
  [[nodiscard]] bool enter(session& s);
  void leave(session& s);
  void drain();

  server_options options_;
  resp_limits limits_;
  store data_;
  pubsub channels_;
  weft::net::listener tcp_;
  weft::net::listener local_;
  weft::context stopping_;
  weft::wait_group clients_done_;
  int64_t started_ms_;
  std::atomic<uint64_t> next_id_{1};
  std::atomic<int64_t> clients_max_;

  weft::mutex clients_lock_;
  std::map<uint64_t, session*> clients_;  // under clients_lock_, and their names
  std::atomic<bool> draining_{false};     // set once, under clients_lock_
};

}  // namespace kv
