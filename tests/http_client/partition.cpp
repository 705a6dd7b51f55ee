// SPDX-License-Identifier: Apache-2.0
// A service that asks another one all the time, while the network between them is cut.
//
//   partition serve ADDRESS
//   partition ask URL on|off      asks until its input ends; writes `TIME ok|failed WHY` per
//   request
//
// The client's timeouts are those of a service inside a data centre (on), or none, as in Go (off).
#include <unistd.h>

#include <cstdio>
#include <string>

#include "weft/http/client.hpp"
#include "weft/http/server.hpp"
#include "weft/net/listener.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;

void serve(const char* where) {
  const http::server s(
      {.handler = [](http::response_writer& w, http::request&) { (void)w.write("here"); }});
  (void)s.listen_and_serve(where);
}

http::client_options how(bool limits) {
  http::client_options out;
  if (limits) {
    out.timeouts.dial = 1s;
    out.timeouts.request = 1s;
  } else {
    out.timeouts = {.request = 0s,
                    .dial = 0s,
                    .tls_handshake = 0s,
                    .response_header = 0s,
                    .stall = 0s,
                    .expect_continue = 0s,
                    .idle_conn = 0s};
  }
  return out;
}

void ask(const char* where, bool limits) {
  const http::client c(how(limits));
  const auto begin = weft::now();
  for (;;) {
    result<http::response> r = c.get(background(), where);
    error why;
    if (!r)
      why = r.error();
    else if (auto text = r->body.read_all(); !text)
      why = text.error();
    std::printf("%lld %s %s\n", static_cast<long long>((weft::now() - begin) / 1ms),
                why ? "failed" : "ok", why.message().c_str());
    std::fflush(stdout);
    weft::sleep_for(50ms);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = argc > 2 ? argv[1] : "";
  if (role == "serve") {
    weft::run([&] { serve(argv[2]); });
  } else if (role == "ask" && argc == 4) {
    weft::run([&] {
      weft::go([&] { ask(argv[2], std::string(argv[3]) == "on"); });
      char c;
      while (weft::blocking([&] { return ::read(0, &c, 1); }) > 0) {
      }
    });
  } else {
    return 2;
  }
  return 0;
}
