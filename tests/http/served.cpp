// SPDX-License-Identifier: Apache-2.0
// A server for clients.py: prints its address, serves until SIGTERM, then prints what is left.
// served [CERTIFICATE KEY]: with TLS if there is a certificate.
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>

#include "weft/http/http.hpp"
#include "weft/tls/tls.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
using weft::http::request;
using weft::http::response_writer;

void echo(response_writer& w, request& r) {
  // As it comes: the answer begins before the request has ended.
  char piece[16384];
  for (;;) {
    const auto got = r.body.read(piece);
    if (!got) throw weft::http::abort_handler();
    if (*got == 0) return;
    if (!w.write({piece, *got}) || !w.flush()) return;
  }
}

void fields(response_writer& w, request& r) {
  for (const auto f : r.headers)
    (void)w.write(std::string(f.name) + "=" + std::string(f.value) + "\n");
}

constexpr const char* page = R"(<!doctype html><title>served</title><p id=t>waiting</p><script>
(async () => {
  const sent = 'x'.repeat(100000);
  const echoed = await (await fetch('/echo', {method: 'POST', body: sent})).text();
  const missing = (await fetch('/nothing')).status;
  const all = await Promise.all([...Array(20).keys()].map(async i =>
    (await fetch('/users/' + i)).text()));
  document.getElementById('t').textContent =
    [echoed === sent, missing, all.join()].join(' ');
})();
</script>)";

void serve(const char* certificate, const char* key) {
  weft::http::mux routes;
  routes.handle("/{$}", [](auto& w, auto&) { (void)w.write("Hello, World!"); });
  routes.handle("GET /users/{id}", [](auto& w, auto& r) { (void)w.write(r.path_value("id")); });
  routes.handle("POST /echo", echo);
  routes.handle("PUT /echo", echo);
  routes.handle("/fields", fields);
  routes.handle("/large", [](auto& w, auto&) {
    const std::string piece(10000, 'x');
    for (int i = 0; i < 1000; ++i) (void)w.write(piece);
  });
  routes.handle("/how", [](auto& w, auto& r) {
    (void)w.write(std::string(to_string(r.version)) + (r.secure() ? " secure" : " plain"));
  });
  routes.handle("/page", [](auto& w, auto&) {
    w.headers().set("Content-Type", "text/html");
    (void)w.write(page);
  });
  routes.handle("/trailers", [](auto& w, auto&) {
    (void)w.write("content");
    (void)w.flush();
    w.trailers().set("X-After", "yes");
  });
  routes.handle("/redirect", [](auto& w, auto& r) { weft::http::redirect(w, r, "/", 302); });
  weft::http::server_options options{.handler = std::ref(routes)};
  // clients.py's slow ones wait for it. Long enough that a fast one is served in time among 2,000
  // of them, by a sanitizer's build on a machine that is busy.
  options.timeouts.read_header = 8s;
  options.timeouts.read = 15s;
  const weft::http::server server(std::move(options));
  auto on = weft::net::listen("tcp", "127.0.0.1:0").value();
  if (certificate != nullptr) {
    weft::net::tls_config config;
    config.certificates.push_back({.certificate_file = certificate, .key_file = key});
    config.alpn = {"h2", "http/1.1"};
    on = weft::net::tls_listener(on, weft::net::tls_context::make(config).value());
  }
  auto [ctx, stop] = weft::net::notify_context(weft::background(), {SIGTERM});
  weft::wait_group ended;
  ended.go([&] {
    (void)ctx.done().recv();
    auto [limit, cancel] = weft::with_timeout(weft::background(), 5s);
    if (!server.shutdown(limit)) server.close();
  });
  std::printf("%s\n", on.addr().string().c_str());
  std::fflush(stdout);
  (void)server.serve(on);
  ended.wait();
  const auto stats = server.stats();
  std::printf("connections=%llu now=%llu idle=%llu requests=%llu panics=%llu\n",
              static_cast<unsigned long long>(stats.connections),
              static_cast<unsigned long long>(stats.connections_now),
              static_cast<unsigned long long>(stats.idle_now),
              static_cast<unsigned long long>(stats.requests),
              static_cast<unsigned long long>(stats.panics));
}

}  // namespace

int main(int argc, char** argv) {
  return weft::run([&] {
    serve(argc == 3 ? argv[1] : nullptr, argc == 3 ? argv[2] : nullptr);
    return 0;
  });
}
