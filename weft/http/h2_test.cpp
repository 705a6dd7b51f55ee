// SPDX-License-Identifier: Apache-2.0
// HTTP/2 from end to end: our client at our server. Foreign clients and ill-behaved ones:
// tests/http2.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "weft/base/sanitizer.hpp"
#include "weft/http/client.hpp"
#include "weft/http/client_testing.hpp"
#include "weft/http/mux.hpp"
#include "weft/http/server.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using namespace std::chrono_literals;

const context bg = background();

/// Serves while it lives.
class serving {
 public:
  explicit serving(http::handler handler, http::server_options options = {})
      : server_(with(std::move(options), std::move(handler))) {
    auto on = net::listen("tcp", "127.0.0.1:0");
    where_ = on->addr().string();
    done_.go([this, on = std::move(*on)] { (void)server_.serve(on); });
  }
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;
  ~serving() {
    server_.close();
    done_.wait();
    until([&] { return server_.stats().connections_now == 0; });
  }
  [[nodiscard]] std::string url(std::string_view path) const {
    return "http://" + where_ + std::string(path);
  }
  [[nodiscard]] const http::server& operator*() const { return server_; }

 private:
  static http::server_options with(http::server_options options, http::handler handler) {
    options.handler = std::move(handler);
    options.log = [](std::string_view) {};
    return options;
  }
  http::server server_;
  std::string where_;
  wait_group done_;
};

http::client h2_client(http::client_options options = {}) {
  options.h2c = true;
  return http::client(std::move(options));
}

void echo_body(http::response_writer& w, http::request& r) {
  char piece[4096];
  for (;;) {
    const auto got = r.body.read(piece);
    if (!got || *got == 0) return;
    if (!w.write({piece, *got}) || !w.flush()) return;
  }
}

/// A body that is made on the way.
class counting final : public http::body_source {
 public:
  explicit counting(size_t bytes) : left_(bytes) {}
  result<size_t> read(std::span<char> to) override {
    const size_t now = std::min(left_, to.size());
    std::fill_n(to.begin(), now, 'c');
    left_ -= now;
    return now;
  }

 private:
  size_t left_;
};

TEST(h2, a_request_and_its_answer) {
  weft::run([] {
    const serving s([](http::response_writer& w, http::request& r) {
      EXPECT_EQ(r.version, http::version::http_2);
      EXPECT_EQ(r.method, "GET");
      EXPECT_EQ(r.url.path, "/a b");
      EXPECT_EQ(r.url.query, "q=1");
      EXPECT_EQ(r.headers.get("X-One"), "1");
      EXPECT_EQ(r.headers.get("Cookie"), "a=b; c=d");
      EXPECT_FALSE(r.host.empty());
      w.headers().add("X-Two", "2");
      w.headers().add("Connection", "keep-alive");  // is HTTP/1's, and left out
      w.write_head(201);
      w.write("hello");
    });
    const http::client c = h2_client();
    http::request ask("GET", s.url("/a%20b?q=1"));
    ask.headers.add("X-One", "1");
    ask.headers.add("Cookie", "a=b; c=d");
    ask.headers.add("Connection", "close");
    result<http::response> r = c.send(std::move(ask));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(r->status, 201);
    EXPECT_EQ(r->version, http::version::http_2);
    EXPECT_EQ(r->headers.get("x-two"), "2");
    EXPECT_EQ(r->headers.get("content-length"), "5");
    EXPECT_FALSE(r->headers.has("connection"));
    EXPECT_EQ(text_of(r), "hello");
  });
}

TEST(h2, many_requests_share_one_connection) {
  weft::run([] {
    const serving s(echo_body);
    const http::client c = h2_client();
    EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", "first")), "first");
    wait_group all;
    for (int i = 0; i < 100; ++i) {
      all.go([&, i] {
        const std::string text = "request " + std::to_string(i);
        EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", text)), text);
      });
    }
    all.wait();
    EXPECT_EQ(c.stats().dials, 1u);
    EXPECT_EQ(c.stats().in_use_now, 0u);
    EXPECT_EQ((*s).stats().connections, 1u);
    EXPECT_EQ((*s).stats().requests, 101u);
  });
}

TEST(h2, a_burst_at_the_beginning_ends_on_one_connection) {
  weft::run([] {
    const serving s(echo_body);
    const http::client c = h2_client();
    wait_group all;
    for (int i = 0; i < 50; ++i)
      all.go([&] { EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", "x")), "x"); });
    all.wait();
    // Dials that had begun were not needed, and were ended.
    until([&] { return (*s).stats().connections_now == 1; });
  });
}

TEST(h2, bodies_larger_than_all_windows_go_both_ways) {
  weft::run([] {
    const serving s(echo_body);
    const http::client c = h2_client();
    constexpr size_t bytes = 5 << 20;
    result<http::response> r = c.post(bg, s.url("/"), "application/octet-stream",
                                      http::body(std::make_unique<counting>(bytes)));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(text_of(r), std::string(bytes, 'c'));
  });
}

TEST(h2, trailers_go_both_ways) {
  weft::run([] {
    const serving s([](http::response_writer& w, http::request& r) {
      const auto text = r.body.read_all();
      ASSERT_NE(r.body.trailers(), nullptr);
      w.write(*text);
      w.flush();
      w.trailers().set("X-Sum", r.body.trailers()->get("X-Ask"));
    });
    const http::client c = h2_client();
    http::request ask("POST", s.url("/"), http::body(std::make_unique<counting>(10)));
    ask.trailers.add("X-Ask", "42");
    result<http::response> r = c.send(std::move(ask));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(*r->body.read_all(), std::string(10, 'c'));
    ASSERT_NE(r->body.trailers(), nullptr);
    EXPECT_EQ(r->body.trailers()->get("x-sum"), "42");
  });
}

TEST(h2, a_canceled_request_ends_the_servers_context_and_no_other) {
  weft::run([] {
    const auto arrived = make_chan<bool>(1);
    const auto ended = make_chan<error>(1);
    http::mux routes;
    routes.handle("GET /wait", [&](http::response_writer&, http::request& r) {
      const context ctx = r.ctx();
      arrived.send(true);
      ctx.done().recv();
      ended.send(cause(ctx));
    });
    routes.handle("POST /", echo_body);
    const serving s(std::ref(routes));
    const http::client c = h2_client();
    EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", "x")), "x");
    auto [ctx, cancel] = with_cancel(bg);
    wait_group waiting;
    waiting.go([&] {
      const auto r = c.get(ctx, s.url("/wait"));
      ASSERT_FALSE(r);
      EXPECT_TRUE(r.error().is(canceled)) << r.error().message();
    });
    arrived.recv();
    cancel();
    waiting.wait();
    EXPECT_TRUE(ended.recv().has_value());
    EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", "y")), "y");
    EXPECT_EQ(c.stats().dials, 1u);
  });
}

TEST(h2, a_response_that_is_dropped_resets_its_stream) {
  weft::run([] {
    const auto ended = make_chan<bool>(1);
    const serving s([&](http::response_writer& w, http::request&) {
      const std::string piece(64 * 1024, 'x');
      while (w.write(piece)) {
      }
      ended.send(true);
    });
    const http::client c = h2_client();
    {
      result<http::response> r = c.get(bg, s.url("/"));
      ASSERT_TRUE(r) << r.error().message();
    }
    ended.recv();
    until([&] { return c.stats().in_use_now == 0; });
    EXPECT_EQ(c.stats().dials, 1u);
  });
}

TEST(h2, no_goroutine_while_nothing_moves) {
  weft::run([] {
    const serving s(echo_body);
    const int64_t before = num_goroutine();
    const http::client c = h2_client();
    EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", "x")), "x");
    // Neither at the client's end nor at the server's.
    until([&] { return num_goroutine() <= before; });
  });
}

TEST(h2, an_exception_is_500_or_a_reset) {
  weft::run([] {
    http::mux routes;
    routes.handle("GET /early", [](auto&, auto&) { throw std::runtime_error("early"); });
    routes.handle("GET /late", [](auto& w, auto&) {
      w.write("part");
      w.flush();
      throw std::runtime_error("late");
    });
    const serving s(std::ref(routes));
    const http::client c = h2_client();
    EXPECT_EQ(c.get(bg, s.url("/early"))->status, 500);
    result<http::response> late = c.get(bg, s.url("/late"));
    ASSERT_TRUE(late);
    EXPECT_FALSE(late->body.read_all());
    EXPECT_EQ(c.get(bg, s.url("/early"))->status, 500);
    EXPECT_EQ(c.stats().dials, 1u);
  });
}

TEST(h2, a_body_over_the_limit_is_413) {
  weft::run([] {
    http::server_options options;
    options.limits.body_bytes_max = 1000;
    const serving s(echo_body, options);
    const http::client c = h2_client();
    EXPECT_EQ(c.post(bg, s.url("/"), "text/plain", std::string(1001, 'x'))->status, 413);
    EXPECT_EQ(c.post(bg, s.url("/"), "text/plain", std::string(1000, 'x'))->status, 200);
  });
}

TEST(h2, shutdown_waits_for_what_is_in_flight) {
  weft::run([] {
    const auto arrived = make_chan<bool>(1);
    const auto go_on = make_chan<bool>(1);
    const serving s([&](http::response_writer& w, http::request& r) {
      if (r.url.path == "/wait") {
        arrived.send(true);
        go_on.recv();
      }
      w.write("done");
    });
    const http::client c = h2_client();
    wait_group both;
    both.go([&] { EXPECT_EQ(text_of(c.get(bg, s.url("/wait"))), "done"); });
    arrived.recv();
    both.go([&] { EXPECT_TRUE((*s).shutdown(bg)); });
    until([&] { return !c.get(bg, s.url("/")); });  // no new ones
    go_on.send(true);
    both.wait();
  });
}

TEST(h2, after_goaway_the_client_dials_again) {
  weft::run([] {
    http::server_options options;
    options.limits.requests_per_connection_max = 5;
    const serving s(echo_body, options);
    const http::client c = h2_client();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(text_of(c.post(bg, s.url("/"), "text/plain", "x")), "x");
    EXPECT_GE(c.stats().dials, 2u);
    until([&] { return (*s).stats().connections_now <= 1; });
  });
}

TEST(h2, a_server_that_says_nothing_costs_a_limit_and_the_connection) {
  weft::run([] {
    const auto end = make_chan<bool>();
    const serving s([&](http::response_writer&, http::request&) { end.recv(); });
    http::client_options options;
    options.timeouts.response_header = 100ms;
    const http::client c = h2_client(options);
    const auto r = c.get(bg, s.url("/"));
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().timeout()) << r.error().message();
    end.close();
  });
}

TEST(h2, early_hints_and_100_continue) {
  weft::run([] {
    const serving s([](http::response_writer& w, http::request& r) {
      w.headers().add("Link", "</a.css>");
      w.write_head(103);
      w.headers().clear();
      w.write(*r.body.read_all());
    });
    const http::client c = h2_client();
    http::request ask("POST", s.url("/"), "asked for");
    ask.headers.add("Expect", "100-continue");
    std::vector<int> seen;
    http::client_trace trace;
    trace.got_1xx = [&](int status, const http::header&) { seen.push_back(status); };
    ask.set_context(http::with_trace(bg, trace));
    result<http::response> r = c.send(std::move(ask));
    EXPECT_FALSE(r && r->headers.has("link"));
    EXPECT_EQ(text_of(r), "asked for");
    EXPECT_FALSE(seen.empty());
  });
}

TEST(h2, everything_at_once) {
  weft::run([] {
    http::server_options options;
    options.h2.resets_max = 0;  // this resets more than an honest client would
    const serving s(echo_body, options);
    const http::client c = h2_client();
    constexpr int rounds = rt::sanitizer::thread || rt::sanitizer::address ? 20 : 60;
    wait_group all;
    for (int i = 0; i < 40; ++i) {
      all.go([&, i] {
        for (int k = 0; k < rounds; ++k) {
          const size_t bytes = static_cast<size_t>(i * 977 + k * 131) % 100'000;
          auto [ctx, cancel] = with_cancel(bg);
          if (k % 7 == 3) cancel();
          result<http::response> r =
              c.post(ctx, s.url("/"), "text/plain", http::body(std::make_unique<counting>(bytes)));
          if (k % 7 == 3) {
            EXPECT_FALSE(r);
          } else if (k % 5 == 4) {
            continue;  // dropped
          } else {
            EXPECT_EQ(text_of(r).size(), bytes);
          }
        }
      });
    }
    all.wait();
    until([&] { return c.stats().in_use_now == 0; });
  });
}

}  // namespace
