// SPDX-License-Identifier: Apache-2.0
#include "weft/debughttp/internal/pages.hpp"

#include <memory>

#include "weft/debughttp/debughttp.hpp"

namespace weft::debughttp {

http::handler handler() {
  auto routes = std::make_shared<http::mux>();
  add_goroutines_page(*routes);
  add_heap_page(*routes);
  add_metrics_page(*routes);
  add_pprof_pages(*routes);
  add_sched_page(*routes);
  return [routes](http::response_writer& w, http::request& r) { (*routes)(w, r); };
}

}  // namespace weft::debughttp
