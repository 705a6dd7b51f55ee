// SPDX-License-Identifier: Apache-2.0
// Making TLS connections and listeners.
#include "weft/tls/conn.hpp"

#include "weft/net/internal/stream.hpp"
#include "weft/tls/internal/core.hpp"
#include "weft/tls/internal/tls_stream.hpp"

namespace weft::net {

result<tls_context> tls_context::make(tls_config config) {
  auto core = std::make_shared<rt::tls_core>(std::move(config));
  if (error why = core->load()) return fail(std::move(why));
  return tls_context(std::move(core));
}

result<void> tls_context::reload() const {
  if (error why = core_->reload()) return fail(std::move(why));
  return {};
}

error tls_context::reload_error() const { return core_->reload_error(); }
const tls_config& tls_context::config() const noexcept { return core_->config(); }

namespace {

/// Gives TLS connections for those below.
class tls_acceptor final : public rt::acceptor {
 public:
  tls_acceptor(listener over, tls_context context)
      : over_(std::move(over)), context_(std::move(context)) {}

  result<std::shared_ptr<rt::stream>> accept() override {
    result<conn> got = over_.accept();
    if (!got) return fail(got.error());
    return tls_server(std::move(*got), context_).stream();
  }
  result<void> close() override { return over_.close(); }
  result<void> set_deadline(int64_t when_ns, bool read, bool write) override {
    return over_.acceptor()->set_deadline(when_ns, read, write);
  }
  [[nodiscard]] int native() const noexcept override { return over_.native_handle(); }
  [[nodiscard]] const address& local() const noexcept override { return over_.acceptor()->local(); }

 private:
  listener over_;
  tls_context context_;
};

conn over_stream(const conn& over, const tls_context& context, rt::tls_role role,
                 std::string server_name) {
  if (!over || !context) return {};
  return conn(std::make_shared<rt::tls_stream>(over.stream(), context.core(), role,
                                               std::move(server_name)));
}

rt::tls_stream* tls_of(const conn& c) noexcept {
  return dynamic_cast<rt::tls_stream*>(c.stream().get());
}

/// "localhost" of "localhost:443"; a zone is of no interest to certificates.
std::string host_of(std::string_view where) {
  const result<host_port> parts = split_host_port(where);
  if (!parts) return {};
  return parts->host.empty() ? "localhost" : parts->host.substr(0, parts->host.find('%'));
}

}  // namespace

conn tls_server(conn over, const tls_context& context) {
  return over_stream(over, context, rt::tls_role::server, {});
}

conn tls_client(conn over, const tls_context& context, std::string_view server_name) {
  if (!context) return {};
  return over_stream(over, context, rt::tls_role::client,
                     server_name.empty() ? context.config().server_name : std::string(server_name));
}

result<conn> tls_server(conn over, const tls_config& config) {
  const result<tls_context> made = tls_context::make(config);
  if (!made) return fail(made.error());
  return tls_server(std::move(over), *made);
}

result<conn> tls_client(conn over, const tls_config& config, std::string_view server_name) {
  const result<tls_context> made = tls_context::make(config);
  if (!made) return fail(made.error());
  return tls_client(std::move(over), *made, server_name);
}

listener tls_listener(listener over, const tls_context& context) {
  return listener(std::make_shared<tls_acceptor>(std::move(over), context));
}

result<listener> listen_tls(std::string_view network, std::string_view where,
                            const tls_context& context, const listen_options& options) {
  result<listener> over = listen(network, where, options);
  if (!over) return over;
  return tls_listener(std::move(*over), context);
}

result<listener> listen_tls(std::string_view network, std::string_view where,
                            const tls_config& config, const listen_options& options) {
  const result<tls_context> made = tls_context::make(config);
  if (!made) return fail(made.error());
  return listen_tls(network, where, *made, options);
}

result<conn> dial_tls(const weft::context& ctx, std::string_view network, std::string_view where,
                      const tls_context& context, const dial_options& options) {
  weft::context limited = ctx;
  cancel_func end;
  if (options.timeout.count() > 0) {
    context_and_cancel made = with_timeout(ctx, options.timeout);
    limited = std::move(made.ctx);
    end = std::move(made.cancel);
  }
  result<conn> over = dial(limited, network, where, options);
  if (!over) return over;
  const std::string& named = context.config().server_name;
  const conn made = tls_client(std::move(*over), context, named.empty() ? host_of(where) : named);
  if (result<void> done = handshake(made, limited); !done) {
    (void)made.close();
    return fail(done.error());
  }
  return made;
}

result<conn> dial_tls(const weft::context& ctx, std::string_view network, std::string_view where,
                      const tls_config& config, const dial_options& options) {
  const result<tls_context> made = tls_context::make(config);
  if (!made) return fail(made.error());
  return dial_tls(ctx, network, where, *made, options);
}

result<void> handshake(const conn& c, const weft::context& ctx) {
  if (!c) return fail(closed);
  rt::tls_stream* tls = tls_of(c);
  return tls != nullptr ? tls->handshake(ctx) : result<void>{};
}

bool is_tls(const conn& c) noexcept { return tls_of(c) != nullptr; }

std::optional<tls_connection_state> tls_state(const conn& c) {
  rt::tls_stream* tls = tls_of(c);
  if (tls == nullptr || !tls->handshaken()) return std::nullopt;
  return tls->state();
}

}  // namespace weft::net
