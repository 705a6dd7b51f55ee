// SPDX-License-Identifier: Apache-2.0
// What the shop's services are told: a JSON file, read again when it changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"

namespace shop {

struct gateway_settings {
  std::string listen = "127.0.0.1:8080";
  std::string risk_url = "http://127.0.0.1:8081";
  std::string ledger_url = "http://127.0.0.1:8082";
  /// The gateway starts a deadline of its own for each request.
  int64_t deadline_ms = 1000;
};

struct risk_settings {
  std::string listen = "127.0.0.1:8081";
  int64_t deny_above_cents = 500'000;
  int64_t review_above_cents = 100'000;
  /// Of one customer.
  int64_t orders_per_minute_max = 100'000;
  /// How long the model thinks: for trying out deadlines.
  int64_t think_us = 0;
};

struct ledger_settings {
  std::string listen = "127.0.0.1:8082";
  std::string sqlite_path = ":memory:";
  /// Instead of SQLite, if it is not empty.
  std::string postgres_dsn;
  /// What a customer who comes for the first time has.
  int64_t opening_balance_cents = 1'000'000'000;
};

/// With a certificate all three listen with TLS, and trust `ca_file` when they call each other.
struct tls_settings {
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;
};

struct settings {
  gateway_settings gateway;
  risk_settings risk;
  ledger_settings ledger;
  tls_settings tls;
};

/// Unknown keys, values out of range and malformed JSON are refused, with the path in the document.
[[nodiscard]] weft::result<settings> parse_settings(std::string_view json);

/// The file's settings, always the newest good ones. A shared handle.
class live_settings {
 public:
  /// Reads the file, and from then on watches it, on a goroutine that ends with the last handle. A
  /// file that turns bad changes nothing and is reported on standard error. An empty path: the
  /// defaults, for ever.
  [[nodiscard]] static weft::result<live_settings> open(const std::string& path);
  /// Settings of one moment. Cheap: for each request.
  [[nodiscard]] std::shared_ptr<const settings> get() const;
  [[nodiscard]] uint64_t reloads() const noexcept;
  [[nodiscard]] uint64_t refused() const noexcept;

 private:
  class state;
  std::shared_ptr<state> state_;
};

}  // namespace shop
