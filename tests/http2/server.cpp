// SPDX-License-Identifier: Apache-2.0
// A server for foreign clients: prints its port, serves until its standard input ends, then shuts
// down, and prints how that went.
//
//   GET /            a greeting
//   GET /bytes/N     N bytes
//   POST /echo       the body, as it comes, and as trailer how long it was
//   GET /hang        no answer until the client has gone; counted
//   GET /hung        how many have
//   GET /throw       500
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "weft/base/atomic.hpp"
#include "weft/http/http.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
namespace http = weft::http;

weft::rt::atomic<int> hung{0};

void bytes(http::response_writer& w, http::request& r) {
  size_t count = 0;
  const std::string_view text = r.path_value("n");
  std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string piece(64 * 1024, 'x');
  for (size_t sent = 0; sent < count;) {
    const size_t now = std::min(piece.size(), count - sent);
    if (!w.write(std::string_view(piece).substr(0, now))) return;
    sent += now;
  }
}

void echo(http::response_writer& w, http::request& r) {
  char buffer[16 * 1024];
  size_t total = 0;
  for (;;) {
    const auto got = r.body.read(buffer);
    if (!got || *got == 0) break;
    total += *got;
    if (!w.write({buffer, *got}) || !w.flush()) return;
  }
  w.trailers().set("x-bytes", std::to_string(total));
}

int serve(const char* where) {
  http::mux routes;
  routes.handle("GET /{$}", [](auto& w, auto&) { w.write("hello, world\n"); });
  routes.handle("GET /bytes/{n}", bytes);
  routes.handle("POST /echo", echo);
  routes.handle("POST /{$}", [](auto& w, auto& r) {
    (void)r.body.read_all();
    w.write("hello, world\n");
  });
  routes.handle("GET /hang", [](auto&, auto& r) {
    const weft::context ctx = r.ctx();
    ctx.done().recv();
    hung.fetch_add(1, weft::rt::relaxed);
  });
  routes.handle("GET /hung",
                [](auto& w, auto&) { w.write(std::to_string(hung.load(weft::rt::relaxed))); });
  routes.handle("GET /throw", [](auto&, auto&) { throw std::runtime_error("thrown"); });

  http::server_options options;
  options.handler = std::ref(routes);
  if (const char* write = std::getenv("WRITE_MS"); write != nullptr)
    options.timeouts.write = std::chrono::milliseconds(std::atoi(write));
  if (const char* head = std::getenv("READ_HEADER_MS"); head != nullptr)
    options.timeouts.read_header = std::chrono::milliseconds(std::atoi(head));
  options.http1 = std::getenv("NO_HTTP1") == nullptr;
  const http::server server(options);
  const auto on = weft::net::listen("tcp", where);
  if (!on) {
    std::fprintf(stderr, "%s\n", on.error().message().c_str());
    return 1;
  }
  std::printf("%s\n", on->addr().string().c_str());
  std::fflush(stdout);
  weft::wait_group serving;
  serving.go([&] { (void)server.serve(*on); });
  weft::blocking([] {
    char end = 0;
    while (::read(0, &end, 1) > 0) {
    }
  });
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 5s);
  const auto ended = server.shutdown(ctx);
  std::printf("shutdown: %s\n", ended ? "clean" : ended.error().message().c_str());
  server.close();
  serving.wait();
  const auto stats = server.stats();
  std::printf("requests: %llu\n", static_cast<unsigned long long>(stats.requests));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const where = argc > 1 ? argv[1] : "127.0.0.1:0";
  return weft::run([&] { return serve(where); });
}
