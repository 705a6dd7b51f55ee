// SPDX-License-Identifier: Apache-2.0
// From a destination to a connection: name, TCP, proxy, TLS.
#include "weft/http/internal/client_pool.hpp"
#include "weft/http/internal/h1_client_conn.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/lookup.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/tls/conn.hpp"

namespace weft::rt {

namespace {

/// Told apart for the trace only; a name with several addresses is dialed by its name, so that the
/// families race.
std::string look_up_traced(const context& ctx, const http::client_trace& trace,
                           const std::string& host_port) {
  const result<net::host_port> parts = net::split_host_port(host_port);
  if (!parts || !(trace.dns_start || trace.dns_done)) return host_port;
  const bool numeric = parts->host.find_first_not_of("0123456789.") == std::string::npos ||
                       parts->host.find(':') != std::string::npos;
  if (numeric || parts->host.empty()) return host_port;
  if (trace.dns_start) trace.dns_start(parts->host);
  const auto found = net::lookup_host(ctx, parts->host);
  if (trace.dns_done) trace.dns_done(found ? found->size() : 0, found ? error() : found.error());
  if (!found || found->size() != 1) return host_port;
  net::address only = found->front();
  only.port = parts->port;
  return only.string();
}

result<net::conn> connect(const context& ctx, const std::string& host_port,
                          const http::client_options& options) {
  const http::client_trace* const trace = http::trace_of(ctx);
  std::string where = host_port;
  if (trace != nullptr && !options.dial) where = look_up_traced(ctx, *trace, host_port);
  if (trace != nullptr && trace->connect_start) trace->connect_start("tcp", where);
  result<net::conn> made;
  if (options.dial) {
    const auto [limited, cancel] = options.timeouts.dial.count() > 0
                                       ? with_timeout(ctx, options.timeouts.dial)
                                       : with_cancel(ctx);
    made = options.dial(limited, where);
  } else {
    made = net::dial(ctx, "tcp", where, {.timeout = options.timeouts.dial});
  }
  if (trace != nullptr && trace->connect_done)
    trace->connect_done("tcp", where, made ? error() : made.error());
  return made;
}

std::string proxy_address(const http::url& proxy) {
  return net::join_host_port(proxy.hostname(), proxy.port());
}

result<net::conn> start_tls(const context& ctx, net::conn over, const std::string& host,
                            client_pool& pool, client_pool::tls_purpose purpose) {
  const http::client_trace* const trace = http::trace_of(ctx);
  if (trace != nullptr && trace->tls_start) trace->tls_start();
  const auto shake = [&]() -> result<net::conn> {
    const result<net::tls_context> how = pool.tls(purpose);
    if (!how) return fail(how.error());
    const std::string& name = how->config().server_name;
    net::conn secure = net::tls_client(over, *how, name.empty() ? host : name);
    if (result<void> done = net::handshake(secure, ctx); !done) {
      (void)secure.close();
      return fail(done.error());
    }
    return secure;
  };
  result<net::conn> made = shake();
  if (!made) (void)over.close();
  if (trace != nullptr && trace->tls_done) trace->tls_done(made ? error() : made.error());
  return made;
}

}  // namespace

result<std::shared_ptr<client_conn>> dial_client_conn(const context& ctx, const destination& to,
                                                      const http::client_options& options,
                                                      std::shared_ptr<client_pool> pool) {
  result<net::conn> wire =
      connect(ctx, to.proxy ? proxy_address(*to.proxy) : to.host_port, options);
  if (wire && to.proxy && to.proxy->scheme == "https")
    wire = start_tls(ctx, std::move(*wire), std::string(to.proxy->hostname()), *pool,
                     client_pool::tls_purpose::proxy);
  if (!wire) return fail(to.proxy ? error::wrap("proxyconnect", wire.error()) : wire.error());
  if (to.proxy && to.tls) {
    h1_client_conn asking(*wire, pool);
    const std::chrono::nanoseconds limit = options.timeouts.response_header;
    const std::string password =
        to.proxy->user.empty() ? std::string() : basic_authorization(to.proxy->user);
    const result<void> opened = asking.open_tunnel(
        to.host_port, password, limit.count() > 0 ? weft::now() + limit : net::time_point{});
    if (!opened) {
      (void)wire->close();
      return fail(error::wrap("proxyconnect", opened.error()));
    }
  }
  if (to.tls) {
    wire = start_tls(ctx, std::move(*wire), to.host, *pool, client_pool::tls_purpose::server);
    if (!wire) return fail(wire.error());
    const auto state = net::tls_state(*wire);
    if (state && state->alpn == "h2") return make_h2_client_conn(std::move(*wire), std::move(pool));
  }
  if (options.h2c && !to.tls && !to.proxy)
    return make_h2_client_conn(std::move(*wire), std::move(pool));
  return make_h1_client_conn(std::move(*wire), std::move(pool));
}

}  // namespace weft::rt
