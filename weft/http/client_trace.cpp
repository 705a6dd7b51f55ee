// SPDX-License-Identifier: Apache-2.0
// The trace in a context.
#include "weft/http/client_trace.hpp"

#include <memory>

namespace weft::http {

namespace {
constexpr context_key<std::shared_ptr<const client_trace>> trace_key("http.client_trace");
}

context with_trace(const context& parent, client_trace trace) {
  return with_value(parent, trace_key, std::make_shared<const client_trace>(std::move(trace)));
}

const client_trace* trace_of(const context& ctx) noexcept {
  const std::shared_ptr<const client_trace>* const found = ctx.value(trace_key);
  return found != nullptr ? found->get() : nullptr;
}

}  // namespace weft::http
