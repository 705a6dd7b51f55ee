// SPDX-License-Identifier: Apache-2.0
// Serving and asking.
#include "service.hpp"

#include <cstdio>

#include "weft/net/listener.hpp"
#include "weft/sync/group.hpp"
#include "weft/tls/tls.hpp"

namespace shop {

using namespace std::chrono_literals;

weft::result<void> serve(const weft::context& ctx, std::string_view name, const std::string& where,
                         const tls_settings& tls, weft::http::handler h) {
  weft::http::server_options options{.handler = std::move(h)};
  options.server_name = "weft-shop";
  const weft::http::server server(std::move(options));
  const bool secure = !tls.certificate_file.empty();
  weft::result<weft::net::listener> on;
  if (secure) {
    weft::net::tls_config config;
    config.certificates.push_back({.certificate_file = tls.certificate_file,
                                   .key_file = tls.key_file,
                                   .certificate_pem = {},
                                   .key_pem = {}});
    config.alpn = {"h2", "http/1.1"};
    on = weft::net::listen_tls("tcp", where, config);
  } else {
    on = weft::net::listen("tcp", where);
  }
  if (!on) return weft::fail(on.error());
  std::printf("%.*s ready on %s://%s\n", static_cast<int>(name.size()), name.data(),
              secure ? "https" : "http", on->addr().string().c_str());
  std::fflush(stdout);
  weft::group both;
  both.go([&]() -> weft::result<void> {
    const auto end = server.serve(*on);
    return end.error().is(weft::http::server_closed) ? weft::result<void>() : end;
  });
  both.go([&]() -> weft::result<void> {
    (void)ctx.done().recv();
    auto [limit, cancel] = weft::with_timeout(weft::background(), 10s);
    if (auto ended = server.shutdown(limit); !ended) {
      server.close();
      return ended;
    }
    return {};
  });
  return both.wait();
}

weft::http::client make_client(const tls_settings& tls) {
  weft::http::client_options options;
  options.tls.root_ca_file = tls.ca_file;
  options.timeouts.dial = 1s;
  options.limits.idle_conns_per_host_max = 1000;
  options.user_agent = "weft-shop";
  options.compression = false;
  options.propagate = true;
  return weft::http::client(std::move(options));
}

void reply_problem(weft::http::response_writer& w, int status, std::string_view text) {
  (void)weft::http::write_json(w, status, problem{std::string(text)});
}

peer_failure failure_of(std::string_view peer, const weft::error& why) {
  if (why.timeout()) return {504, std::string(peer) + " did not answer in time"};
  return {502, std::string(peer) + ": " + why.message()};
}

}  // namespace shop
