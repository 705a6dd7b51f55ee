// SPDX-License-Identifier: Apache-2.0
// A connection to a server, with or without TLS.
#pragma once

#include "options.hpp"
#include "target.hpp"
#include "weft/net/conn.hpp"
#include "weft/sync/context.hpp"

namespace load {

/// Parks; ends with the context or after how.timeout.
[[nodiscard]] weft::result<weft::net::conn> connect_to(const weft::context& ctx, const origin& to,
                                                       const options& how);

}  // namespace load
