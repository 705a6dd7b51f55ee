// SPDX-License-Identifier: Apache-2.0
// The client on connections in memory, in deterministic mode: the default limits of time to the
// nanosecond of a virtual clock, and the pool over many schedules.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "weft/http/client.hpp"
#include "weft/http/handler.hpp"
#include "weft/http/server.hpp"
#include "weft/net/pipe.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/sim.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace std::chrono_literals;
using weft::http::client;
using weft::http::client_options;
using weft::http::response;

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

/// Accepts, and says to each connection only what it is told.
struct mute {
  explicit mute(std::string answer = {}) : on(weft::net::listen_in_memory()) {
    accepting = weft::spawn([this, answer] {
      std::vector<weft::net::conn> kept;
      for (;;) {
        auto c = on.accept();
        if (!c) return;
        if (!answer.empty()) {
          char piece[1024];
          (void)c->read(std::span<char>(piece));
          (void)c->write(answer);
        }
        kept.push_back(std::move(*c));
      }
    });
  }
  ~mute() {
    (void)on.close();
    accepting.join();
  }
  [[nodiscard]] client_options options() const {
    client_options out;
    out.dial = [on = on](const weft::context&, std::string_view) {
      return weft::net::dial_in_memory(on);
    };
    return out;
  }
  weft::net::listener on;
  weft::task<void> accepting;
};

constexpr const char* where = "http://in.memory/";

TEST(http_client_sim, default_limits_of_time) {
  weft::sim_testing::explore([] {
    const auto begun = weft::now();
    auto since = begun;
    const auto took = [&](std::chrono::nanoseconds wanted) {
      const auto passed = weft::now() - since;
      since = weft::now();
      return passed >= wanted && passed < wanted + 10ms;
    };
    {
      const mute silent;
      const weft::result<response> r = client(silent.options()).get(weft::background(), where);
      require(!r && r.error().timeout() && took(30s), "response_header: 30 s");
    }
    {
      const mute stalls("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
      weft::result<response> r = client(stalls.options()).get(weft::background(), where);
      require(r && took(0s), "a head");
      const auto text = r->body.read_all();
      require(!text && text.error().timeout() && took(30s), "stall: 30 s");
    }
    {
      client_options hangs;
      hangs.dial = [](const weft::context& ctx, std::string_view) -> weft::result<weft::net::conn> {
        (void)ctx.done().recv();
        return weft::fail(ctx.err());
      };
      const weft::result<response> r = client(hangs).get(weft::background(), where);
      require(!r && r.error().timeout() && took(30s), "dial: 30 s");
    }
    {
      const mute silent;
      client_options patient = silent.options();
      patient.timeouts.response_header = 0s;
      const weft::result<response> r = client(patient).get(weft::background(), where);
      require(!r && r.error().timeout() && took(120s), "request: 2 min");
    }
    {
      const mute answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      const client c(answers.options());
      weft::result<response> r = c.get(weft::background(), where);
      require(r && r->body.read_all().value_or("") == "ok", "an answer");
      require(c.stats().idle_now == 1 && took(0s), "kept");
      weft::sleep_for(90s - 1ms);
      require(c.stats().idle_now == 1, "idle_conn: not before 90 s");
      weft::sleep_for(11ms);
      require(c.stats().idle_now == 0, "idle_conn: 90 s");
    }
  });
}

/// Requests, cancellations and servers that end connections, in any order: each request is answered
/// or says why not, and all connections are accounted for in the end.
TEST(http_client_sim, nothing_is_lost) {
  weft::sim_testing::explore([] {
    const weft::http::server server({.handler =
                                         [](auto& w, auto& r) {
                                           if (r.url.path == "/close")
                                             w.headers().set("Connection", "close");
                                           (void)w.write("ok");
                                         },
                                     .date = false});
    const weft::net::listener on = weft::net::listen_in_memory();
    auto served = weft::spawn([&] { return server.serve(on); });
    {
      client_options options;
      options.limits.conns_per_host_max = 2;
      options.dial = [&](const weft::context&, std::string_view) {
        return weft::net::dial_in_memory(on);
      };
      const client c(options);
      weft::wait_group asking;
      for (int i = 0; i < 6; ++i)
        asking.go([&, i] {
          auto [ctx, cancel] = weft::with_cancel(weft::background());
          weft::wait_group other;
          if (i % 3 == 0) other.go([&] { cancel(); });
          weft::result<response> r =
              c.get(ctx, i % 2 == 0 ? "http://in.memory/close" : "http://in.memory/");
          if (r) {
            const auto text = r->body.read_all();
            require(text ? *text == "ok" : i % 3 == 0, "the body");
          } else {
            require(i % 3 == 0 && r.error().is(weft::canceled), r.error().message().c_str());
          }
          other.wait();
        });
      asking.wait();
      while (c.stats().in_use_now + c.stats().dialing_now != 0) weft::sleep_for(1ms);
      require(c.stats().waiting_now == 0, "nobody waits");
      require(c.stats().idle_now <= 2, "conns_per_host_max");
    }
    server.close();
    (void)served.join();
    while (server.stats().connections_now != 0) weft::sleep_for(1ms);
  });
}

}  // namespace
