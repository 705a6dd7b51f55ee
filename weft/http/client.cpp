// SPDX-License-Identifier: Apache-2.0
// The handle.
#include "weft/http/client.hpp"

#include "weft/http/internal/client_call.hpp"
#include "weft/http/internal/client_pool.hpp"

namespace weft::http {

const error use_last_response("http: use the last response");

namespace {

/// Connections hold the pool, and the pool holds the idle ones: the last client takes those apart.
struct pool_owner {
  explicit pool_owner(const client_options& options)
      : pool(std::make_shared<rt::client_pool>(options)) {}
  pool_owner(const pool_owner&) = delete;
  pool_owner& operator=(const pool_owner&) = delete;
  ~pool_owner() { pool->shut(); }
  std::shared_ptr<rt::client_pool> pool;
};

}  // namespace

class client::state {
 public:
  explicit state(const client_options& options)
      : owner(std::make_shared<pool_owner>(options)), request_limit(options.timeouts.request) {}
  state(std::shared_ptr<pool_owner> of, std::chrono::nanoseconds limit)
      : owner(std::move(of)), request_limit(limit) {}
  std::shared_ptr<pool_owner> owner;
  std::chrono::nanoseconds request_limit;
};

client::client(client_options options) : state_(std::make_shared<state>(options)) {}

result<response> client::send(request r) const {
  const std::shared_ptr<state> held = state_;
  rt::client_pool& pool = *held->owner->pool;
  return rt::client_call(pool.options(), pool, held->request_limit, std::move(r)).run();
}

result<response> client::get(const context& ctx, std::string_view where) const {
  request r("GET", where);
  r.set_context(ctx);
  return send(std::move(r));
}

result<response> client::head(const context& ctx, std::string_view where) const {
  request r("HEAD", where);
  r.set_context(ctx);
  return send(std::move(r));
}

result<response> client::post(const context& ctx, std::string_view where,
                              std::string_view content_type, http::body content) const {
  request r("POST", where, std::move(content));
  r.headers.set("Content-Type", content_type);
  r.set_context(ctx);
  return send(std::move(r));
}

client client::with_request_timeout(std::chrono::nanoseconds limit) const {
  return client(std::make_shared<state>(state_->owner, limit));
}

void client::close_idle() const { state_->owner->pool->close_idle(); }
client_stats client::stats() const { return state_->owner->pool->stats(); }
const client_options& client::options() const noexcept { return state_->owner->pool->options(); }

}  // namespace weft::http
