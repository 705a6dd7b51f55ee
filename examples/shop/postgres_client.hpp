// SPDX-License-Identifier: Apache-2.0
// A small PostgreSQL client for goroutines: a pool of connections over libpq's asynchronous calls.
// No thread and no P waits for the server: the goroutine parks until the socket is ready.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/sync/context.hpp"

namespace shop::pg {

/// What the server answered with, for programs: `err.as<pg::server_error>()`.
struct server_error {
  std::string sqlstate;  // "23505": a unique key is there already
};

/// The rows of one query, all of them, as text; nothing: null.
struct rows {
  std::vector<std::vector<std::optional<std::string>>> all;

  [[nodiscard]] size_t size() const noexcept { return all.size(); }
  [[nodiscard]] std::string text(size_t row, size_t column) const {
    return all.at(row).at(column).value_or("");
  }
  [[nodiscard]] int64_t number(size_t row, size_t column) const;
};

/// Connections to one database, made when they are wanted and kept when they are not. A shared
/// handle, for many goroutines.
class pool {
 public:
  struct options {
    std::string dsn;
    int connections_max = 8;
    /// Run once on each new connection.
    std::string setup;
  };

  explicit pool(options how);
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  /// Closes all connections. Parks until cancelled queries have been taken back from the server.
  ~pool();

  /// One statement with parameters ($1, $2, ...) and its rows. Parks until a connection is free and
  /// the server has answered. When the context ends first, its error is given at once, and the
  /// server is told to cancel the query. A query that finds its idle connection dead is sent once
  /// more on a new one: use it for what may happen twice.
  [[nodiscard]] weft::result<rows> query(const weft::context& ctx, const std::string& sql,
                                         const std::vector<std::string>& parameters = {});
  /// Any number of statements without parameters, in one transaction.
  [[nodiscard]] weft::result<void> execute(const weft::context& ctx, const std::string& sql);

  struct counts {
    uint64_t connected = 0;  // ever
    uint64_t cancelled = 0;  // queries that the server was told to cancel
    int64_t idle = 0;
  };
  [[nodiscard]] counts stats() const;

 private:
  class core;
  std::unique_ptr<core> core_;
};

}  // namespace shop::pg
