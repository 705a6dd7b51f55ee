// SPDX-License-Identifier: Apache-2.0
// The pages; each adds its paths.
#pragma once

#include "weft/http/mux.hpp"

namespace weft::debughttp {

void add_sched_page(http::mux& to);

}  // namespace weft::debughttp
