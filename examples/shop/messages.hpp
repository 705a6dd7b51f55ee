// SPDX-License-Identifier: Apache-2.0
// What the shop's services say to each other and to their clients, as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shop {

struct order_item {
  std::string sku;
  int64_t quantity = 1;
  int64_t unit_price_cents = 0;
};

/// POST gateway/v1/orders
struct order_request {
  std::string customer;
  std::vector<order_item> items;
  std::string note;
};

struct order_answer {
  std::string id;
  std::string status;  // "accepted", "review", "denied"
  std::string customer;
  int64_t total_cents = 0;
  int64_t risk_score = 0;
  std::string reason;
  int64_t transfer_id = 0;
  /// The idempotency key had been used before: this is the first order's answer.
  bool repeated = false;
};

/// POST risk/v1/assessments
struct assessment_request {
  std::string customer;
  int64_t amount_cents = 0;
};

struct assessment {
  std::string decision;  // "approve", "review", "deny"
  int64_t score = 0;     // 0 to 100
  std::string reason;
};

/// POST ledger/v1/transfers, with an Idempotency-Key
struct transfer_request {
  std::string from;
  std::string to;
  int64_t amount_cents = 0;
  std::string memo;
};

struct transfer_answer {
  int64_t id = 0;
  std::string from;
  std::string to;
  int64_t amount_cents = 0;
  std::string memo;
  int64_t at_ms = 0;
  bool repeated = false;
};

/// GET ledger/v1/accounts/{id}
struct account_answer {
  std::string id;
  int64_t balance_cents = 0;
};

/// Every answer that is no success.
struct problem {
  std::string error;
};

}  // namespace shop
