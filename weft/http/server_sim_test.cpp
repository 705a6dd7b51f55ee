// SPDX-License-Identifier: Apache-2.0
// The server on connections in memory, in deterministic mode: time limits to the nanosecond, and
// how it ends among requests, over many schedules.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

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
using weft::http::request;
using weft::http::response_writer;
using weft::http::server;
using weft::http::server_options;

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

std::string read_to_end(const weft::net::conn& c) {
  std::string all;
  char piece[512];
  for (;;) {
    const auto got = c.read(std::span<char>(piece));
    if (!got || *got == 0) return all;
    all.append(piece, *got);
  }
}

struct service {
  explicit service(server_options options)
      : made((options.date = false, std::move(options))),
        on(weft::net::listen_in_memory()),
        served(weft::spawn([this] { return made.serve(on); })) {}
  ~service() {
    made.close();
    (void)served.join();
    while (made.stats().connections_now != 0) weft::sleep_for(1ms);
  }
  server made;
  weft::net::listener on;
  weft::task<weft::result<void>> served;
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

void hello(response_writer& w, request&) { (void)w.write("hello"); }

TEST(ServerSim, AnswersWhateverThePiecesAre) {
  weft::sim_testing::explore([] {
    service s({.handler = [](response_writer& w, request& r) {
      (void)w.write(r.body.read_all().value_or("cut"));
    }});
    const auto c = weft::net::dial_in_memory(s.on).value();
    (void)c.write(
        std::string("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
                    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                    "Connection: close\r\n\r\nhi"));
    const std::string answer = read_to_end(c);
    require(answer.find("\r\n\r\nabcdefgHTTP/1.1 200 OK") != std::string::npos, "the first");
    require(answer.ends_with("\r\n\r\nhi"), "the second");
  });
}

TEST(ServerSim, TimeLimitsAreKept) {
  weft::sim_testing::explore([] {
    server_options options{.handler = hello};
    options.timeouts.read_header = 10s;
    options.timeouts.idle = 100s;
    service s(std::move(options));
    const auto begun = weft::now();
    const auto passed = [&] { return weft::now() - begun; };
    // Half a head: exactly the limit after its first bytes.
    const auto slow = weft::net::dial_in_memory(s.on).value();
    weft::sleep_for(3s);
    (void)slow.write("GET / HT");
    require(read_to_end(slow).starts_with("HTTP/1.1 408"), "408");
    require(passed() >= 13s && passed() < 14s, "read_header");
    // Nothing at all; a limit that is set anew now and then may be a quarter late.
    const auto second = weft::now();
    const auto kept = weft::net::dial_in_memory(s.on).value();
    (void)kept.write(get);
    require(read_to_end(kept).ends_with("hello"), "an answer before the end");
    const auto idle = weft::now() - second;
    require(idle >= 100s && idle <= 126s, "idle");
  });
}

/// Each request is answered whole, or its connection ends without a byte of an answer.
TEST(ServerSim, ShutdownAmongRequests) {
  weft::sim_testing::explore([] {
    service s({.handler = hello});
    weft::wait_group clients;
    std::atomic<int> answers{0};
    for (int i = 0; i < 3; ++i)
      clients.go([&] {
        const auto dialed = weft::net::dial_in_memory(s.on);
        if (!dialed) return;
        for (;;) {
          if (!dialed->write(get)) return;
          std::string answer;
          char piece[256];
          while (!answer.ends_with("hello")) {
            const auto got = dialed->read(std::span<char>(piece));
            if (!got || *got == 0) {
              require(answer.empty(), "half an answer");
              return;
            }
            answer.append(piece, *got);
          }
          ++answers;
          weft::yield();
        }
      });
    while (answers < 5) weft::yield();
    require(s.made.shutdown(weft::background()).has_value(), "shutdown");
    clients.wait();
    require(s.made.stats().connections_now == 0, "all have gone");
  });
}

/// Also those that are accepted at that very moment.
TEST(ServerSim, SilentConnectionsDoNotHoldUpShutdown) {
  weft::sim_testing::explore([] {
    service s({.handler = hello});
    weft::wait_group clients;
    for (int i = 0; i < 3; ++i)
      clients.go([&] {
        if (const auto dialed = weft::net::dial_in_memory(s.on)) (void)read_to_end(*dialed);
      });
    const auto begun = weft::now();
    require(s.made.shutdown(weft::background()).has_value(), "shutdown");
    clients.wait();
    require(weft::now() - begun < 1s, "a silent connection was waited for");
  });
}

/// Nor do those that are turning idle.
TEST(ServerSim, AnsweredConnectionsDoNotHoldUpShutdown) {
  weft::sim_testing::explore([] {
    service s({.handler = hello});
    weft::wait_group clients;
    weft::wait_group answered;
    for (int i = 0; i < 3; ++i) {
      answered.add(1);
      clients.go([&] {
        const auto dialed = weft::net::dial_in_memory(s.on);
        require(dialed.has_value(), "dialed");
        std::string answer;
        char piece[256];
        (void)dialed->write(get);
        while (!answer.ends_with("hello")) {
          const auto got = dialed->read(std::span<char>(piece));
          require(got && *got != 0, "an answer");
          answer.append(piece, *got);
        }
        answered.done();
        require(read_to_end(*dialed).empty(), "closed");
      });
    }
    answered.wait();
    const auto begun = weft::now();
    require(s.made.shutdown(weft::background()).has_value(), "shutdown");
    clients.wait();
    require(weft::now() - begun < 1s, "an idle connection was waited for");
  });
}

}  // namespace
