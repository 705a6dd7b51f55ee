// SPDX-License-Identifier: Apache-2.0
// The ledger service: a store behind HTTP.
#pragma once

#include <memory>

#include "settings.hpp"
#include "store.hpp"
#include "weft/http/handler.hpp"

namespace shop {

/// POST /v1/transfers, GET /v1/accounts/{id}, GET /v1/accounts/{id}/transfers, GET /healthz.
[[nodiscard]] weft::http::handler make_ledger(const live_settings& from,
                                              std::shared_ptr<ledger_store> store);

}  // namespace shop
