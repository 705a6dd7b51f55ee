// SPDX-License-Identifier: Apache-2.0
// The server, as clients see it on their sockets.
#include "weft/http/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "weft/base/panic.hpp"
#include "weft/http/mux.hpp"
#include "weft/net/dial.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace std::chrono_literals;
using weft::http::mux;
using weft::http::request;
using weft::http::response_writer;
using weft::http::server;
using weft::http::server_options;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

/// A server on a port of its own; ends with the scope.
class service {
 public:
  explicit service(server_options options) : lines(weft::make_chan<std::string>(1000)) {
    options.log = [to = lines](std::string_view line) { (void)to.try_send(std::string(line)); };
    made.emplace(std::move(options));
    on = weft::net::listen("tcp", "127.0.0.1:0").value();
    served = weft::spawn([this] { return made->serve(on); });
  }
  ~service() {
    made->close();
    const auto end = served.join();
    EXPECT_TRUE(end.error().is(weft::http::server_closed));
    until([&] { return made->stats().connections_now == 0; });
  }
  [[nodiscard]] weft::net::conn dial() const {
    auto c = weft::net::dial("tcp", on.addr().string()).value();
    (void)c.set_deadline(std::chrono::steady_clock::now() + 20s);
    return c;
  }
  [[nodiscard]] const server* operator->() const { return &*made; }

  weft::chan<std::string> lines;
  std::optional<server> made;
  weft::net::listener on;
  weft::task<weft::result<void>> served;
};

/// All until the server closes.
std::string read_to_end(const weft::net::conn& c) {
  std::string all;
  char piece[4096];
  for (;;) {
    const auto got = c.read(std::span<char>(piece));
    if (!got) return all + "<" + got.error().message() + ">";
    if (*got == 0) return all;
    all.append(piece, *got);
  }
}

/// One answer with a Content-Length.
std::string read_answer(const weft::net::conn& c) {
  std::string all;
  char one = 0;
  while (!all.ends_with("\r\n\r\n")) {
    const auto got = c.read(std::span<char>(&one, 1));
    if (!got || *got == 0) return all + "<end>";
    all += one;
  }
  const size_t at = all.find("Content-Length: ");
  if (at == std::string::npos) return all;
  std::string content(std::stoul(all.substr(at + 16)), '\0');
  if (!content.empty()) (void)c.read_full(std::span<char>(content));
  return all + content;
}

std::string talk(const service& s, std::string_view sent) {
  const auto c = s.dial();
  (void)c.write(sent);
  (void)c.close_write();
  return read_to_end(c);
}

std::string status_line(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }
std::string content_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

void echo(response_writer& w, request& r) {
  const auto all = r.body.read_all();
  if (!all) return weft::http::reply_error(w, 400, all.error().message());
  (void)w.write(r.method + " " + r.url.path + " " + *all);
}

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(Server, KeepsAndPipelinesConnections) {
  weft::run([] {
    const service s({.handler = echo});
    const auto c = s.dial();
    for (int i = 0; i < 3; ++i) {
      (void)c.write(get);
      EXPECT_EQ(content_of(read_answer(c)), "GET / ");
    }
    (void)c.write(
        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\n"
        "Content-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(content_of(read_answer(c)), "GET /1 ");
    EXPECT_EQ(content_of(read_answer(c)), "POST /2 abc");
    EXPECT_EQ(content_of(read_answer(c)), "GET /3 ");
    EXPECT_EQ(s->stats().connections, 1u);
    EXPECT_EQ(s->stats().requests, 6u);
  });
}

TEST(Server, AnIdleConnectionHasNoGoroutine) {
  weft::run([] {
    const service s({.handler = echo});
    const auto before = weft::num_goroutine();
    std::vector<weft::net::conn> all;
    for (int i = 0; i < 100; ++i) {
      all.push_back(s.dial());
      (void)all.back().write(get);
      EXPECT_EQ(content_of(read_answer(all.back())), "GET / ");
    }
    until([&] { return s->stats().idle_now == 100; });
    until([&] { return weft::num_goroutine() <= before; });
    for (const auto& c : all) {
      (void)c.write(get);
      EXPECT_EQ(content_of(read_answer(c)), "GET / ");
    }
  });
}

TEST(Server, Http10) {
  weft::run([] {
    const service s({.handler = echo});
    std::string answer = talk(s, "GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(status_line(answer), "HTTP/1.1 200 OK");
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
    const auto c = s.dial();
    (void)c.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    answer = read_answer(c);
    EXPECT_NE(answer.find("Connection: keep-alive\r\n"), std::string::npos);
    (void)c.write("GET /2 HTTP/1.0\r\n\r\n");
    EXPECT_EQ(content_of(read_to_end(c)), "GET /2 ");
  });
}

TEST(Server, HowAnswersAreFramed) {
  weft::run([] {
    mux m;
    m.handle("/small", [](response_writer& w, request&) { (void)w.write("abc"); });
    m.handle("/large", [](response_writer& w, request&) {
      for (int i = 0; i < 100; ++i) (void)w.write(std::string(100, 'x'));
    });
    m.handle("/declared", [](response_writer& w, request&) {
      w.headers().set("Content-Length", "10000");
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(w.write(std::string(100, 'x')));
      EXPECT_EQ(w.write("y").error(), weft::http::content_length_exceeded);
    });
    m.handle("/short", [](response_writer& w, request&) {
      w.headers().set("Content-Length", "10");
      (void)w.write("abc");
    });
    m.handle("/none", [](response_writer& w, request&) {
      w.write_head(204);
      EXPECT_EQ(w.write("y").error(), weft::http::body_not_allowed);
    });
    m.handle("/flushed", [](response_writer& w, request&) {
      (void)w.write("a");
      (void)w.flush();
      (void)w.write("b");
      w.trailers().set("X-Sum", "ab");
    });
    m.handle("/hints", [](response_writer& w, request&) {
      w.headers().set("Link", "</a>");
      w.write_head(103);
      w.headers().erase("Link");
      (void)w.write("x");
    });
    m.handle("/html", [](response_writer& w, request&) { (void)w.write("<html>"); });
    m.handle("/bytes", [](response_writer& w, request&) { (void)w.write(std::string(3, '\0')); });
    const service s({.handler = std::ref(m), .date = false});
    const auto ask = [&](std::string_view line, std::string_view version = "1.1") {
      return talk(s, std::string(line) + " HTTP/" + std::string(version) +
                         "\r\nHost: h\r\nConnection: close\r\n\r\n");
    };
    EXPECT_EQ(ask("GET /small"),
              "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain; charset=utf-8\r\n"
              "Connection: close\r\n\r\nabc");
    EXPECT_EQ(ask("HEAD /small"),
              "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain; charset=utf-8\r\n"
              "Connection: close\r\n\r\n");
    const std::string large = ask("GET /large");
    EXPECT_NE(large.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_TRUE(large.ends_with("\r\n0\r\n\r\n"));
    const std::string old = ask("GET /large", "1.0");
    EXPECT_EQ(old.find("Transfer-Encoding"), std::string::npos);
    EXPECT_EQ(content_of(old), std::string(10000, 'x'));
    EXPECT_EQ(content_of(ask("GET /declared")), std::string(10000, 'x'));
    EXPECT_EQ(content_of(ask("GET /short")), "abc");
    EXPECT_EQ(ask("GET /none"), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(ask("GET /flushed").ends_with("1\r\na\r\n1\r\nb\r\n0\r\nX-Sum: ab\r\n\r\n"));
    const std::string hints = ask("GET /hints");
    EXPECT_TRUE(hints.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK"));
    // A page that somebody put there is not run.
    EXPECT_NE(ask("GET /html").find("text/plain"), std::string::npos);
    EXPECT_NE(ask("GET /bytes").find("application/octet-stream"), std::string::npos);
  });
}

TEST(Server, BodiesInChunksAndTrailers) {
  weft::run([] {
    const service s({.handler = [](response_writer& w, request& r) {
      const auto all = r.body.read_all();
      (void)w.write(all.value_or("?") + " " +
                    std::string(r.body.trailers() ? r.body.trailers()->get("X-T") : "-"));
    }});
    EXPECT_EQ(content_of(talk(s,
                              "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                              "Connection: close\r\n\r\n"
                              "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n")),
              "abcde t");
  });
}

TEST(Server, ExpectContinue) {
  weft::run([] {
    const service s({.handler = [](response_writer& w, request& r) {
      if (r.url.path == "/no") return weft::http::reply_error(w, 403, "no");
      echo(w, r);
    }});
    const auto c = s.dial();
    (void)c.write(
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(read_answer(c), "HTTP/1.1 100 Continue\r\n\r\n");
    (void)c.write("abc");
    EXPECT_EQ(content_of(read_answer(c)), "POST / abc");
    // Refused without the body: it is not waited for, and the connection ends.
    (void)c.write(
        "POST /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    const std::string answer = read_to_end(c);
    EXPECT_EQ(status_line(answer), "HTTP/1.1 403 Forbidden");
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  });
}

TEST(Server, WhatAHandlerDoesNotRead) {
  weft::run([] {
    const service s({.handler = [](response_writer& w, request&) { (void)w.write("x"); }});
    const auto c = s.dial();
    // A little is read away.
    (void)c.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" +
                  std::string(1000, 'b') + std::string(get));
    EXPECT_EQ(content_of(read_answer(c)), "x");
    EXPECT_EQ(content_of(read_answer(c)), "x");
    // Much is not: the answer comes all the same.
    (void)c.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" +
                  std::string(100000, 'b'));
    const std::string answer = read_answer(c);
    EXPECT_EQ(content_of(answer), "x");
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
    EXPECT_EQ(read_to_end(c), "");
  });
}

TEST(Server, LimitsOfBodies) {
  weft::run([] {
    mux m;
    m.handle("/", [](response_writer& w, request& r) {
      const auto all = r.body.read_all();
      if (!all) return;  // the server says 413
      (void)w.write(*all);
    });
    m.handle("/tight", weft::http::limit_body(echo, 3));
    server_options options{.handler = std::ref(m)};
    options.limits.body_bytes_max = 10;
    const service s(std::move(options));
    const auto post = [&](std::string_view path, std::string_view fields, std::string_view body) {
      return talk(s, "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" +
                         std::string(fields) + "\r\n\r\n" + std::string(body));
    };
    EXPECT_EQ(content_of(post("/", "Content-Length: 10\r\nConnection: close", "0123456789")),
              "0123456789");
    const std::string large = post("/", "Content-Length: 11", "01234567890");
    EXPECT_EQ(status_line(large), "HTTP/1.1 413 Content Too Large");
    EXPECT_NE(large.find("body_bytes_max"), std::string::npos);
    EXPECT_EQ(status_line(post("/", "Transfer-Encoding: chunked",
                               "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n")),
              "HTTP/1.1 413 Content Too Large");
    EXPECT_EQ(status_line(post("/tight", "Content-Length: 4", "0123")), "HTTP/1.1 400 Bad Request");
  });
}

TEST(Server, LimitsOfHeads) {
  weft::run([] {
    server_options options{.handler = echo};
    options.limits.header_bytes_max = 1000;
    options.limits.header_fields_max = 10;
    options.limits.target_bytes_max = 100;
    const service s(std::move(options));
    EXPECT_EQ(status_line(talk(s, "GET /" + std::string(200, 'a') + " HTTP/1.1\r\n")),
              "HTTP/1.1 414 URI Too Long");
    EXPECT_EQ(status_line(talk(s, "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(2000, 'a'))),
              "HTTP/1.1 431 Request Header Fields Too Large");
    std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 0; i < 20; ++i) many += "A: b\r\n";
    EXPECT_EQ(status_line(talk(s, many + "\r\n")), "HTTP/1.1 431 Request Header Fields Too Large");
    // Others are served meanwhile and after.
    EXPECT_EQ(status_line(talk(s, get)), "HTTP/1.1 200 OK");
    EXPECT_EQ(s->stats().bad_requests, 3u);
  });
}

TEST(Server, SlowHeadsAndIdleConnectionsEnd) {
  weft::run([] {
    server_options options{.handler = echo};
    options.timeouts.read_header = 30ms;
    const service s(std::move(options));
    const auto silent = s.dial();
    EXPECT_EQ(read_to_end(silent), "");
    const auto slow = s.dial();
    (void)slow.write("GET / HTTP/1.1\r\nHo");
    EXPECT_EQ(status_line(read_to_end(slow)), "HTTP/1.1 408 Request Timeout");
    server_options patient{.handler = echo};
    patient.timeouts.idle = 30ms;
    const service other(std::move(patient));
    const auto kept = other.dial();
    (void)kept.write(get);
    EXPECT_EQ(status_line(read_answer(kept)), "HTTP/1.1 200 OK");
    EXPECT_EQ(read_to_end(kept), "");
  });
}

TEST(Server, SlowBodiesAndReadersEnd) {
  weft::run([] {
    const auto errors = weft::make_chan<std::string>(10);
    server_options options{.handler = [errors](response_writer& w, request& r) {
      if (r.method == "POST") {
        errors.send(r.body.read_all().error().message());
        return;
      }
      const std::string piece(100000, 'x');
      for (;;)
        if (const auto put = w.write(piece); !put) {
          errors.send(put.error().message());
          return;
        }
    }};
    options.timeouts.read = 30ms;
    options.timeouts.write = 30ms;
    const service s(std::move(options));
    const auto slow = s.dial();
    (void)slow.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
    EXPECT_NE(errors.recv()->find("i/o timeout"), std::string::npos);
    const auto lazy = s.dial();
    (void)lazy.write(get);
    EXPECT_NE(errors.recv()->find("i/o timeout"), std::string::npos);
  });
}

TEST(Server, PanicsAnswer500AndKillNothing) {
  weft::run([] {
    mux m;
    m.handle("/early", [](response_writer& w, request&) {
      (void)w.write("half");
      weft::panic("early one");
    });
    m.handle("/late", [](response_writer& w, request&) {
      (void)w.write("half");
      (void)w.flush();
      throw std::runtime_error("late one");
    });
    m.handle("/abort", [](response_writer&, request&) { throw weft::http::abort_handler(); });
    m.handle("/status", [](response_writer& w, request&) { w.write_head(99); });
    m.handle("/odd", [](response_writer&, request&) { throw 5; });
    m.handle("/", echo);
    const service s({.handler = std::ref(m)});
    const auto ask = [&](const char* path) {
      return talk(s, "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    };
    EXPECT_EQ(content_of(ask("/early")), "500 internal server error\n");
    const std::string early = *s.lines.recv();
    EXPECT_NE(early.find("early one"), std::string::npos);
    EXPECT_NE(early.find("weft::panic(...)\n"), std::string::npos) << early;
    EXPECT_NE(early.find("server_test.cpp:"), std::string::npos) << early;
    EXPECT_FALSE(ask("/late").ends_with("0\r\n\r\n"));
    EXPECT_NE(s.lines.recv()->find("late one"), std::string::npos);
    ask("/abort");
    EXPECT_EQ(s.lines.len(), 0u);
    EXPECT_EQ(status_line(ask("/status")), "HTTP/1.1 500 Internal Server Error");
    EXPECT_NE(s.lines.recv()->find("http: write_head of status 99"), std::string::npos);
    EXPECT_EQ(status_line(ask("/odd")), "HTTP/1.1 500 Internal Server Error");
    EXPECT_EQ(status_line(ask("/")), "HTTP/1.1 200 OK");
    EXPECT_EQ(s->stats().panics, 4u);
  });
}

TEST(Server, TheContextEndsWithTheClient) {
  weft::run([] {
    const auto causes = weft::make_chan<std::string>(10);
    const service s({.handler = [causes](response_writer& w, request& r) {
      const weft::context ctx = r.ctx();
      if (r.url.path == "/wait") {
        (void)r.body.read_all();
        (void)ctx.done().recv();
        causes.send(weft::cause(ctx).message());
        return;
      }
      if (r.url.path == "/go")
        weft::go([=] {
          (void)ctx.done().recv();
          causes.send(weft::cause(ctx).message());
        });
      (void)w.write("x");
    }});
    for (const char* head :
         {"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n",
          "POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
          // A next request behind it does not hide that the client leaves.
          "GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"}) {
      const auto c = s.dial();
      (void)c.write(head);
      until([&] { return s->stats().requests_now == 1; });
      (void)c.close();
      EXPECT_EQ(causes.recv(), "http: the client has left");
      until([&] { return s->stats().connections_now == 0; });
    }
    const auto c = s.dial();
    for (int i = 0; i < 3; ++i) {
      (void)c.write("GET /go HTTP/1.1\r\nHost: h\r\n\r\n");
      EXPECT_EQ(content_of(read_answer(c)), "x");
      EXPECT_EQ(causes.recv(), "http: the request has been answered");
    }
  });
}

TEST(Server, TheContextHasTheHandlersDeadline) {
  weft::run([] {
    server_options options{.handler = [](response_writer& w, request& r) {
      (void)r.ctx().done().recv();
      (void)w.write(r.ctx().err().message());
    }};
    options.timeouts.handler = 10ms;
    const service s(std::move(options));
    const auto c = s.dial();
    (void)c.write(get);
    EXPECT_EQ(content_of(read_answer(c)), "context deadline exceeded");
  });
}

TEST(Server, ShutdownLosesNothingInFlight) {
  weft::run({.procs = 4}, [] {
    for (int round = 0; round < 20; ++round) {
      const auto begun = weft::make_chan<bool>(1000);
      const auto go_on = weft::make_chan<bool>();
      service s({.handler = [=](response_writer& w, request& r) {
        if (r.url.path == "/slow") {
          begun.send(true);
          (void)go_on.recv();
        }
        (void)w.write("done");
      }});
      std::atomic<int> answered{0};
      weft::wait_group all;
      std::vector<weft::net::conn> idle;
      for (int i = 0; i < 10; ++i) {
        idle.push_back(s.dial());
        (void)idle.back().write(get);
        (void)read_answer(idle.back());
      }
      for (int i = 0; i < 10; ++i)
        all.go([&] {
          const auto c = s.dial();
          (void)c.write("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
          const std::string answer = read_to_end(c);
          if (content_of(answer) == "done" && answer.find("Connection: close") != std::string::npos)
            ++answered;
        });
      for (int i = 0; i < 10; ++i) (void)begun.recv();
      auto ended = weft::spawn([&] { return s->shutdown(weft::background()); });
      for (const auto& c : idle) EXPECT_EQ(read_to_end(c), "");
      EXPECT_FALSE(ended.done());
      until([&] { return !weft::net::dial("tcp", s.on.addr().string()); });
      go_on.close();
      EXPECT_TRUE(ended.join());
      all.wait();
      EXPECT_EQ(answered, 10);
    }
  });
}

/// A request that is on its way when the server winds up is served, or its connection is closed
/// without a byte of an answer: then the client may send it again.
TEST(Server, ShutdownAmongRequests) {
  weft::run({.procs = 4}, [] {
    for (int round = 0; round < 30; ++round) {
      service s({.handler = echo});
      weft::wait_group all;
      std::atomic<int> half{0}, whole{0};
      for (int i = 0; i < 8; ++i)
        all.go([&] {
          const auto dialed = weft::net::dial("tcp", s.on.addr().string());
          if (!dialed) return;  // it does not listen any more
          const weft::net::conn& c = *dialed;
          for (;;) {
            if (!c.write(get)) return;
            const std::string answer = read_answer(c);
            if (answer == "<end>") return;
            if (content_of(answer) == "GET / ")
              ++whole;
            else
              ++half;
          }
        });
      until([&] { return whole > 50; });
      EXPECT_TRUE(s->shutdown(weft::background()));
      all.wait();
      EXPECT_EQ(half, 0);
    }
  });
}

TEST(Server, ShutdownGivesUpWithItsContext) {
  weft::run([] {
    const auto go_on = weft::make_chan<bool>();
    const auto begun = weft::make_chan<bool>(1);
    service s({.handler = [=](response_writer&, request&) {
      begun.send(true);
      (void)go_on.recv();
    }});
    const auto hooked = weft::make_chan<bool>(1);
    s->on_shutdown([=] { hooked.send(true); });
    const auto c = s.dial();
    (void)c.write(get);
    (void)begun.recv();
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 10ms);
    const auto end = s->shutdown(ctx);
    ASSERT_FALSE(end);
    EXPECT_TRUE(end.error().is(weft::deadline_exceeded));
    EXPECT_TRUE(hooked.recv());
    go_on.close();
  });
}

TEST(Server, Hijack) {
  weft::run([] {
    const service s({.handler = [](response_writer& w, request& r) {
      auto taken = w.hijack();
      ASSERT_TRUE(taken) << taken.error().message();
      EXPECT_EQ(w.write("x").error(), weft::http::not_hijackable);
      const std::string first = taken->read_ahead;
      weft::go([c = taken->conn, first, path = r.url.path] {
        (void)c.write("raw " + path + " " + first);
        (void)c.close();
      });
    }});
    const auto c = s.dial();
    (void)c.write("GET /up HTTP/1.1\r\nHost: h\r\n\r\nahead");
    EXPECT_EQ(read_to_end(c), "raw /up ahead");
    EXPECT_EQ(s->stats().connections_now, 0u);
  });
}

TEST(Server, ConnectionsWaitForAPlace) {
  weft::run([] {
    server_options options{.handler = echo};
    options.limits.connections_max = 2;
    const service s(std::move(options));
    const auto a = s.dial(), b = s.dial(), c = s.dial();
    for (const auto& each : {a, b}) {
      (void)each.write(get);
      EXPECT_EQ(content_of(read_answer(each)), "GET / ");
    }
    (void)c.write(get);
    EXPECT_EQ(s->stats().connections_now, 2u);
    (void)a.close();
    EXPECT_EQ(content_of(read_answer(c)), "GET / ");
  });
}

TEST(Server, RequestsPerConnection) {
  weft::run([] {
    server_options options{.handler = echo};
    options.limits.requests_per_connection_max = 2;
    const service s(std::move(options));
    const auto c = s.dial();
    (void)c.write(get);
    EXPECT_EQ(read_answer(c).find("Connection: close"), std::string::npos);
    (void)c.write(get);
    EXPECT_NE(read_to_end(c).find("Connection: close"), std::string::npos);
  });
}

}  // namespace
