// SPDX-License-Identifier: Apache-2.0
// The server of the rows "HTTP", as the smallest program with weft::http would be: http-weft PORT
// GET /observe measures what an observer costs it (observe.hpp).
// http-weft --vectors prints the requests of the row "smuggling vectors".
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "bench/http/observe.hpp"
#include "weft/http/h1_vectors_testing.hpp"
#include "weft/http/mux.hpp"
#include "weft/http/server.hpp"
#include "weft/json/json.hpp"
#include "weft/sched/run.hpp"

namespace {

using weft::http::request;
using weft::http::response_writer;

/// Every connection is a descriptor: all that the system lets us have. (Go does it by itself.)
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

void hello(response_writer& w, request&) {
  w.headers().set("Content-Type", "text/plain");
  (void)w.write("Hello, World!");
}

struct greeting {
  std::string message;
};

void hello_json(response_writer& w, request&) {
  const weft::result<std::string> text = weft::json::encode(greeting{"Hello, World!"});
  if (!text) return weft::http::reply_error(w, 500, text.error().message());
  w.headers().set("Content-Type", "application/json");
  (void)w.write(*text);
}

void count_body(response_writer& w, request& r) {
  char piece[4096];
  size_t total = 0;
  for (;;) {
    const weft::result<size_t> got = r.body.read(std::span<char>(piece));
    if (!got) return weft::http::reply_error(w, 400, got.error().message());
    if (*got == 0) break;
    total += *got;
  }
  (void)w.write(std::to_string(total));
}

int print_vectors() {
  for (const h1_test::vector& v : h1_test::smuggling_vectors()) {
    std::printf("{\"name\": \"%s\", \"wire\": \"", v.name);
    for (const char c : v.wire) std::printf("%02x", static_cast<unsigned char>(c));
    std::printf("\"}\n");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: http-weft PORT\n");
    return 2;
  }
  if (std::string_view(argv[1]) == "--vectors") return print_vectors();
  raise_descriptor_limit();
  return weft::run([where = std::string("127.0.0.1:") + argv[1]] {
    weft::http::mux routes;
    routes.handle("/", hello);
    routes.handle("POST /", count_body);
    routes.handle("GET /json", hello_json);
    const weft::http::server* counted = nullptr;
    bench::handle_observe(routes, counted);
    const weft::http::server server(
        {.handler = std::ref(routes), .http1 = std::getenv("NO_HTTP1") == nullptr});
    counted = &server;
    const weft::result<void> end = server.listen_and_serve(where);
    std::fprintf(stderr, "http-weft: %s\n", end.error().message().c_str());
    return 1;
  });
}
