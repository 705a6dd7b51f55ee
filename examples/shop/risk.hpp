// SPDX-License-Identifier: Apache-2.0
// The risk service: what an order's amount and its customer's recent orders say.
#pragma once

#include "settings.hpp"
#include "weft/http/handler.hpp"

namespace shop {

/// POST /v1/assessments, GET /healthz.
[[nodiscard]] weft::http::handler make_risk(const live_settings& from);

}  // namespace shop
