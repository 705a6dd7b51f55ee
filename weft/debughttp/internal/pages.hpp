// SPDX-License-Identifier: Apache-2.0
// The pages; each adds its paths.
#pragma once

#include "weft/http/mux.hpp"

namespace weft::debughttp {

void add_goroutines_page(http::mux& to);
void add_heap_page(http::mux& to);
void add_metrics_page(http::mux& to);
void add_pprof_pages(http::mux& to);
void add_sched_page(http::mux& to);

}  // namespace weft::debughttp
