// SPDX-License-Identifier: Apache-2.0
// A WebSocket server that sends everything back, and a client that checks one that does:
//
//   weft_websocket_peer serve          prints its port; ends with its standard input
//   weft_websocket_peer connect URL    exit status 0 if all came back
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

#include "weft/http/mux.hpp"
#include "weft/http/server.hpp"
#include "weft/http/websocket.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"

namespace {

namespace http = weft::http;

void echo(http::response_writer& w, http::request& r) {
  const auto ws = http::websocket::accept(w, r, {.protocols = {"echo"}});
  if (!ws) return;
  while (auto m = ws->read()) (void)ws->write(m->kind, m->data);
}

int serve() {
  http::mux routes;
  routes.handle("/echo", echo);
  routes.handle("/bye", [](http::response_writer& w, http::request& r) {
    const auto ws = http::websocket::accept(w, r);
    if (ws) (void)ws->close(4001, "bye");
  });
  const http::server server({.handler = std::ref(routes)});
  const auto on = weft::net::listen("tcp", "127.0.0.1:0").value();
  std::printf("%u\n", static_cast<unsigned>(on.addr().port));
  std::fflush(stdout);
  weft::go([&] {
    weft::blocking([] {
      while (std::getchar() != EOF) {
      }
    });
    server.close();
  });
  (void)server.serve(on);
  return 0;
}

int check(std::string_view url) {
  const auto made = http::websocket::connect(weft::background(), url, {.protocols = {"echo"}});
  if (!made) {
    std::fprintf(stderr, "connect: %s\n", made.error().message().c_str());
    return 1;
  }
  std::printf("protocol \"%s\", %s\n", std::string(made->protocol()).c_str(),
              made->compressed() ? "compressed" : "plain");
  const std::string texts[] = {"",
                               "hello",
                               "\xc3\xa9\xe2\x82\xac",
                               std::string(126, 'x'),
                               std::string(70000, 'y'),
                               std::string(900000, 'z')};
  for (const std::string& text : texts) {
    for (const http::ws_kind kind : {http::ws_kind::text, http::ws_kind::binary}) {
      if (auto sent = made->write(kind, text); !sent) {
        std::fprintf(stderr, "write: %s\n", sent.error().message().c_str());
        return 1;
      }
      const auto back = made->read();
      if (!back || back->kind != kind || back->data != text) {
        std::fprintf(stderr, "%zu bytes did not come back\n", text.size());
        return 1;
      }
    }
  }
  (void)made->ping("are you there");
  const auto closed = made->close(1000, "done");
  if (!closed) std::fprintf(stderr, "close: %s\n", closed.error().message().c_str());
  return closed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "serve") return weft::run([] { return serve(); });
  if (what == "connect" && argc > 2) return weft::run([&] { return check(argv[2]); });
  std::fprintf(stderr, "usage: weft_websocket_peer serve | connect URL\n");
  return 2;
}
