// SPDX-License-Identifier: Apache-2.0
// What docs/guide/http.md shows.
#include <weft/http/http.hpp>
#include <weft/weft.hpp>

#include <csignal>
#include <cstdio>
#include <functional>
#include <string>

using namespace std::chrono_literals;

namespace {

std::string ask(const weft::net::listener& on, const std::string& path) {
  const auto c = weft::net::dial("tcp", on.addr().string()).value();
  (void)c.write("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  std::string all;
  char piece[512];
  for (;;) {
    const auto got = c.read(std::span<char>(piece));
    if (!got || *got == 0) return all.substr(all.find("\r\n\r\n") + 4);
    all.append(piece, *got);
  }
}

void serve() {
  weft::http::mux routes;
  routes.handle("GET /hello/{name}", [](auto& w, auto& r) {
    (void)w.write("Hello, " + std::string(r.path_value("name")) + "!\n");
  });
  routes.handle("/slow", [](auto& w, auto& r) {
    weft::select(weft::on_done(r.ctx(), [&] { std::puts("the client has left"); }),
                 weft::after(10s, [&] { (void)w.write("done\n"); }));
  });
  const weft::http::middleware log = [](weft::http::handler inner) -> weft::http::handler {
    return [inner](auto& w, auto& r) {
      inner(w, r);
      std::printf("%s %s %d\n", r.method.c_str(), r.url.path.c_str(), w.status());
    };
  };
  const weft::http::handler logged = weft::http::chain(std::ref(routes), {log});
  const weft::http::server server({.handler = logged});
  auto [ctx, stop] = weft::net::notify_context(weft::background(), {SIGTERM, SIGINT});
  weft::wait_group ended;
  ended.go([&] {
    (void)ctx.done().recv();
    auto [limit, cancel] = weft::with_timeout(weft::background(), 30s);
    (void)server.shutdown(limit);
  });
  const auto on = weft::net::listen("tcp", "127.0.0.1:0").value();
  weft::go([&] {
    std::printf("%s", ask(on, "/hello/weft").c_str());
    std::raise(SIGTERM);
  });
  std::printf("%s\n", server.serve(on).error().message().c_str());
  ended.wait();
}

}  // namespace

int main() { return weft::run(serve); }
