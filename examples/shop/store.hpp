// SPDX-License-Identifier: Apache-2.0
// What the ledger keeps: accounts, and transfers between them that happen once, however often they
// are asked for. Two stores do it: sqlite_store.cpp, postgres_store.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/sync/context.hpp"

namespace shop {

struct account {
  std::string id;
  int64_t balance_cents = 0;
};

/// Money that moved. `key` is the caller's idempotency key: a second request with the same key is
/// answered with the first one's transfer.
struct transfer {
  int64_t id = 0;
  std::string key;
  std::string from;
  std::string to;
  int64_t amount_cents = 0;
  std::string memo;
  int64_t at_ms = 0;  // since 1970
};

struct moved {
  transfer what;
  /// It had been made before, by a request with the same key.
  bool repeated = false;
};

/// "no such account"
extern const weft::error no_such_account;
/// "insufficient funds"
extern const weft::error insufficient_funds;
/// "idempotency key used for another transfer"
extern const weft::error key_conflict;
/// "account exists with another balance" is none: open_account() gives what is there.

/// Safe to use from many goroutines. All calls park the goroutine, never its P; all end with the
/// context, whose error they give. What was committed stays committed.
class ledger_store {
 public:
  ledger_store() = default;
  ledger_store(const ledger_store&) = delete;
  ledger_store& operator=(const ledger_store&) = delete;
  virtual ~ledger_store() = default;

  /// "sqlite", "postgres".
  [[nodiscard]] virtual std::string_view kind() const noexcept = 0;
  /// Makes it, with this balance, if it is not there.
  [[nodiscard]] virtual weft::result<account> open_account(const weft::context& ctx,
                                                           std::string_view id,
                                                           int64_t balance_cents) = 0;
  [[nodiscard]] virtual weft::result<account> find_account(const weft::context& ctx,
                                                           std::string_view id) = 0;
  /// All or nothing. `wanted.id` and `at_ms` are filled in. Fails with the errors above; an account
  /// whose id begins with '@' is the house's and may be overdrawn.
  [[nodiscard]] virtual weft::result<moved> move(const weft::context& ctx,
                                                 const transfer& wanted) = 0;
  /// The newest first.
  [[nodiscard]] virtual weft::result<std::vector<transfer>> history(const weft::context& ctx,
                                                                    std::string_view account_id,
                                                                    int limit) = 0;
};

/// ":memory:" is one, too.
[[nodiscard]] weft::result<std::unique_ptr<ledger_store>> open_sqlite(const std::string& path);
/// `dsn` as libpq takes it ("postgres://user@host/db", "host=/run/postgresql dbname=x"). Makes the
/// tables if they are not there. Fails with a clear text in a build without libpq.
[[nodiscard]] weft::result<std::unique_ptr<ledger_store>> open_postgres(const weft::context& ctx,
                                                                        const std::string& dsn,
                                                                        int connections_max = 8);

}  // namespace shop
