// SPDX-License-Identifier: Apache-2.0
// The gateway: where orders come in. It asks risk, then moves money in the ledger, under a deadline
// of its own.
#pragma once

#include <memory>

#include "settings.hpp"
#include "weft/http/client.hpp"
#include "weft/http/handler.hpp"
#include "weft/sync/context.hpp"

namespace shop {

class receipts;

/// Writes receipts for accepted orders, on a goroutine that ends with `ctx`: a message in a queue
/// carries the order's trace, but not its deadline.
[[nodiscard]] std::shared_ptr<receipts> start_receipts(const weft::context& ctx);

/// POST /v1/orders, GET /v1/customers/{id}, GET /stats, GET /healthz.
[[nodiscard]] weft::http::handler make_gateway(const live_settings& from,
                                               const weft::http::client& client,
                                               std::shared_ptr<receipts> to);

}  // namespace shop
