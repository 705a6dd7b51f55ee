// SPDX-License-Identifier: Apache-2.0
// Connections: which request gets which, and what is sent again.
#include <gtest/gtest.h>

#include <mutex>
#include <string>

#include "weft/base/atomic.hpp"
#include "weft/http/client.hpp"
#include "weft/http/client_testing.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/sched/run.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using namespace std::chrono_literals;
using http::client;
using http::client_options;
using http::response;

const context bg = background();

// --- Repetition, case by case: Go's shouldRetryRequest -------------------------------------------

/// The first connection answers once, and closes without a word when it has read another request.
struct dying_server {
  std::string second_answer;  // what it says of it before
  script_server server{[this](script_conn& at, int number) {
    seen_request r;
    if (number == 0) {
      if (!at.read_request(r)) return;
      at.ok("first");
      if (!at.read_request(r)) return;
      at.say(second_answer);
      return;
    }
    while (at.read_request(r)) at.ok(r.line + '|' + r.body);
  }};
  client c;
  dying_server() { EXPECT_EQ(text_of(c.get(bg, server.url())), "first"); }
  std::string again(http::request r) { return text_of(c.send(std::move(r))); }
};

TEST(http_client_retry, idempotent_requests_on_a_dead_reused_connection) {
  weft::run([] {
    for (const std::string method : {"GET", "OPTIONS", "TRACE"}) {
      dying_server d;
      EXPECT_EQ(d.again(http::request(method, d.server.url())), method + " / HTTP/1.1|");
      EXPECT_EQ(d.c.stats().retries, 1u);
      EXPECT_EQ(d.server.accepted(), 2);
    }
    dying_server d;
    const result<response> r = d.c.head(bg, d.server.url());
    ASSERT_TRUE(r);
    EXPECT_EQ(r->status, 200);
  });
}

TEST(http_client_retry, a_get_with_a_body_that_can_be_had_again) {
  weft::run([] {
    dying_server d;
    EXPECT_EQ(d.again(http::request("GET", d.server.url(), "b")), "GET / HTTP/1.1|b");
    EXPECT_EQ(d.c.stats().retries, 1u);
  });
}

TEST(http_client_retry, a_body_that_cannot_be_had_again) {
  weft::run([] {
    dying_server d;
    const std::string got =
        d.again(http::request("GET", d.server.url(),
                              http::body(std::make_unique<pieces>(std::vector<std::string>{"b"}))));
    EXPECT_NE(got.find("closed the connection without an answer"), std::string::npos) << got;
    EXPECT_EQ(d.c.stats().retries, 0u);
  });
}

TEST(http_client_retry, not_what_may_have_had_an_effect) {
  weft::run([] {
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
      dying_server d;
      const std::string got = d.again(http::request(method, d.server.url(), "b"));
      EXPECT_NE(
          got.find("http: the server closed the connection without an answer: unexpected EOF"),
          std::string::npos)
          << got;
      EXPECT_EQ(d.c.stats().retries, 0u);
    }
  });
}

TEST(http_client_retry, an_idempotency_key) {
  weft::run([] {
    for (const char* name : {"Idempotency-Key", "X-Idempotency-Key"}) {
      dying_server d;
      http::request r("POST", d.server.url(), "b");
      r.headers.set(name, "17");
      EXPECT_EQ(d.again(std::move(r)), "POST / HTTP/1.1|b");
    }
  });
}

TEST(http_client_retry, not_after_a_first_byte) {
  weft::run([] {
    dying_server d;
    d.second_answer = "HTTP/1.1 ";
    const std::string got = d.again(http::request("GET", d.server.url()));
    EXPECT_NE(got.find("in the middle of its response's head"), std::string::npos) << got;
    EXPECT_EQ(d.c.stats().retries, 0u);
  });
}

TEST(http_client_retry, never_on_a_fresh_connection) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      (void)c.read_request(r);
    });
    const client c;
    EXPECT_EQ(message_of(c.get(bg, server.url())),
              "Get \"" + server.url() +
                  "\": http: the server closed the connection without an answer: unexpected EOF");
    EXPECT_EQ(c.stats().retries, 0u);
    EXPECT_EQ(server.accepted(), 1);
  });
}

/// Fails every write after the first answer, as a connection does whose reset has come.
class broken_pipe final : public passing_stream {
 public:
  using passing_stream::passing_stream;
  result<size_t> read(void* to, size_t bytes) override {
    answered_ = true;
    return passing_stream::read(to, bytes);
  }
  result<size_t> write(const void* from, size_t bytes) override {
    if (answered_)
      return fail(error(std::make_error_code(std::errc::broken_pipe), "write: broken pipe"));
    return passing_stream::write(from, bytes);
  }

 private:
  bool answered_ = false;
};

TEST(http_client_retry, nothing_written) {
  weft::run([] {
    script_server server(echo);
    const auto make = [] {
      client_options options;
      options.dial = [](const context& ctx, std::string_view where) -> result<net::conn> {
        result<net::conn> c = net::dial(ctx, "tcp", where);
        if (!c) return c;
        return net::conn(std::make_shared<broken_pipe>(c->stream()));
      };
      return client(options);
    };
    const auto second = [&](const client& c, http::request r) {
      EXPECT_EQ(text_of(c.get(bg, server.url())), "GET / HTTP/1.1|");
      return text_of(c.send(std::move(r)));
    };
    // Whatever the method.
    client c = make();
    EXPECT_EQ(second(c, http::request("DELETE", server.url())), "DELETE / HTTP/1.1|");
    EXPECT_EQ(c.stats().retries, 1u);
    c = make();
    EXPECT_EQ(second(c, http::request("POST", server.url(), "b")), "POST / HTTP/1.1|b");
    EXPECT_EQ(c.stats().retries, 1u);
    c = make();
    const std::string large(20'000, 'x');
    EXPECT_EQ(second(c, http::request("POST", server.url(), large)), "POST / HTTP/1.1|" + large);
    EXPECT_EQ(c.stats().retries, 1u);
    // But for a body that is gone.
    c = make();
    EXPECT_NE(second(c, http::request(
                            "POST", server.url(),
                            http::body(std::make_unique<pieces>(std::vector<std::string>{"b"}))))
                  .find("broken pipe"),
              std::string::npos);
    EXPECT_EQ(c.stats().retries, 0u);
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

TEST(http_client_retry, once_for_each_dead_connection) {
  weft::run([] {
    constexpr int count = 4;
    chan<std::monostate> all_there = make_chan<std::monostate>();
    script_server server([&](script_conn& c, int number) {
      seen_request r;
      if (!c.read_request(r)) return;
      if (number >= count) return c.ok("alive");
      all_there.recv();
      c.ok();
      (void)c.read_request(r);  // and closes without an answer
    });
    const client c;
    wait_group asking;
    for (int i = 0; i < count; ++i)
      asking.go([&] { EXPECT_EQ(text_of(c.get(bg, server.url())), "ok"); });
    until([&] { return c.stats().in_use_now == count; });
    all_there.close();
    asking.wait();
    until([&] { return c.stats().idle_now == count; });
    EXPECT_EQ(text_of(c.get(bg, server.url())), "alive");
    EXPECT_EQ(c.stats().retries, 4u);
  });
}

// --- Idle connections ----------------------------------------------------------------------------

TEST(http_client_pool, a_closed_idle_connection_leaves_at_once) {
  weft::run([] {
    chan<std::monostate> close_now = make_chan<std::monostate>();
    script_server server([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.ok();
      close_now.recv();
    });
    const client c;
    EXPECT_EQ(text_of(c.get(bg, server.url())), "ok");
    EXPECT_EQ(c.stats().idle_now, 1u);
    close_now.close();
    until([&] { return c.stats().idle_now == 0; });
    // So even what cannot be repeated goes through.
    EXPECT_EQ(text_of(c.post(bg, server.url(), "text/plain", "x")), "ok");
    EXPECT_EQ(c.stats().retries, 0u);
  });
}

TEST(http_client_pool, idle_time) {
  weft::run([] {
    chan<std::monostate> gone = make_chan<std::monostate>(1);
    script_server server([&](script_conn& c, int n) {
      echo(c, n);
      (void)gone.try_send({});
    });
    client_options options;
    options.timeouts.idle_conn = 30ms;
    const client c(options);
    EXPECT_EQ(text_of(c.get(bg, server.url())), "GET / HTTP/1.1|");
    gone.recv();
    EXPECT_EQ(c.stats().idle_now, 0u);
  });
}

TEST(http_client_pool, limits_of_what_is_kept) {
  weft::run([] {
    constexpr int count = 6;
    const auto burst = [&](client_options options) {
      chan<std::monostate> all_there = make_chan<std::monostate>();
      script_server server([&](script_conn& c, int) {
        seen_request r;
        if (!c.read_request(r)) return;
        all_there.recv();
        c.ok();
        c.wait_gone();
      });
      const client c(options);
      wait_group asking;
      for (int i = 0; i < count; ++i)
        asking.go([&] { EXPECT_EQ(text_of(c.get(bg, server.url())), "ok"); });
      // Delivered, each to its own request: none is overtaken.
      until([&] { return c.stats().in_use_now == count; });
      all_there.close();
      asking.wait();
      until([&] { return c.stats().in_use_now == 0; });
      return c.stats().idle_now;
    };
    client_options options;
    EXPECT_EQ(burst(options), 6u);
    options.limits.idle_conns_per_host_max = 4;
    EXPECT_EQ(burst(options), 4u);
    options.limits.idle_conns_max = 3;
    EXPECT_EQ(burst(options), 3u);
    options.limits.idle_conns_max = 0;
    EXPECT_EQ(burst(options), 0u);
  });
}

TEST(http_client_pool, the_oldest_goes_when_there_are_too_many) {
  weft::run([] {
    script_server a(echo);
    script_server b(echo);
    client_options options;
    options.limits.idle_conns_max = 1;
    const client c(options);
    EXPECT_EQ(text_of(c.get(bg, a.url())), "GET / HTTP/1.1|");
    EXPECT_EQ(text_of(c.get(bg, b.url())), "GET / HTTP/1.1|");
    EXPECT_EQ(c.stats().idle_now, 1u);
    EXPECT_EQ(text_of(c.get(bg, b.url())), "GET / HTTP/1.1|");
    EXPECT_EQ(c.stats().reuses, 1u);
  });
}

TEST(http_client_pool, many_hosts) {
  weft::run([] {
    script_server server(echo);
    client_options options;
    options.limits.idle_conns_max = 10;
    options.dial = [&](const context& ctx, std::string_view) {
      return net::dial(ctx, "tcp", server.address());
    };
    const client c(options);
    // More than are remembered; those that are still connected stay.
    for (int i = 0; i < 700; ++i) {
      const std::string where = "http://h" + std::to_string(i) + ".example/";
      EXPECT_EQ(text_of(c.get(bg, where)), "GET / HTTP/1.1|");
      if (i % 100 == 0) {
        EXPECT_EQ(text_of(c.get(bg, where)), "GET / HTTP/1.1|");
      }
    }
    EXPECT_EQ(c.stats().reuses, 7u);
    EXPECT_EQ(c.stats().idle_now, 10u);
  });
}

/// Its watcher's goroutine was started for nothing, and comes too late: as when the event of bytes
/// that are read already is delivered after the connection was put back.
class late_watch final : public passing_stream, public rt::read_watcher {
 public:
  explicit late_watch(std::shared_ptr<rt::stream> to, rt::atomic<int>& late)
      : passing_stream(std::move(to)), late_(late) {}
  bool watch_readable(rt::read_watcher& w) override {
    told_ = &w;
    return passing_stream::watch_readable(*this);
  }
  void readable() override { told_->readable(); }
  bool unwatch() override {
    if (!passing_stream::unwatch()) return false;
    const int behind = late_.fetch_add(1, rt::relaxed) + 1;
    weft::go([told = told_, &late = late_, behind] {
      for (int i = 0; i < 7 * behind; ++i) weft::yield();
      told->readable();
      late.fetch_sub(1, rt::release);
    });
    return false;
  }

 private:
  rt::read_watcher* told_ = nullptr;
  rt::atomic<int>& late_;
};

TEST(http_client_pool, a_watcher_told_for_nothing_costs_no_connection) {
  weft::run(weft::options{.procs = 1}, [] {
    rt::atomic<int> late{0};
    {
      script_server server(echo);
      client_options options;
      options.dial = [&](const context& ctx, std::string_view where) -> result<net::conn> {
        result<net::conn> c = net::dial(ctx, "tcp", where);
        if (!c) return c;
        return net::conn(std::make_shared<late_watch>(c->stream(), late));
      };
      const client c(options);
      for (int i = 0; i < 50; ++i) EXPECT_EQ(text_of(c.get(bg, server.url())), "GET / HTTP/1.1|");
      EXPECT_EQ(c.stats().dials, 1u);
      EXPECT_EQ(c.stats().reuses, 49u);
    }
    until([&] { return late.load(rt::acquire) == 0; });  // the last one has nothing left to touch
  });
}

// --- conns_per_host_max --------------------------------------------------------------------------

TEST(http_client_pool, requests_wait_in_order) {
  weft::run([] {
    chan<std::monostate> go_on = make_chan<std::monostate>();
    mutex lock;
    std::string order;
    script_server server([&](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        {
          const std::lock_guard<mutex> held(lock);
          order += r.line[5];
        }
        go_on.recv();
        c.ok();
      }
    });
    client_options options;
    options.limits.conns_per_host_max = 1;
    const client c(options);
    wait_group asking;
    for (char name = 'a'; name < 'g'; ++name) {
      asking.go([&, name] {
        EXPECT_EQ(text_of(c.get(bg, server.url("/" + std::string(1, name)))), "ok");
      });
      until([&] {
        return c.stats().waiting_now + c.stats().in_use_now ==
               static_cast<uint64_t>(name - 'a' + 1);
      });
    }
    EXPECT_EQ(c.stats().waiting_now, 5u);
    go_on.close();
    asking.wait();
    EXPECT_EQ(order, "abcdef");
    EXPECT_EQ(server.accepted(), 1);
    EXPECT_EQ(c.stats().waiting_now, 0u);
  });
}

TEST(http_client_pool, a_waiter_leaves_with_its_context) {
  weft::run([] {
    chan<std::monostate> go_on = make_chan<std::monostate>();
    script_server server([&](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        go_on.recv();
        c.ok();
      }
    });
    client_options options;
    options.limits.conns_per_host_max = 1;
    const client c(options);
    auto first = spawn([&] { return text_of(c.get(bg, server.url())); });
    until([&] { return c.stats().in_use_now == 1; });
    auto [ctx, cancel] = with_cancel(bg);
    auto second = spawn([&, asked_in = ctx] { return c.get(asked_in, server.url()); });
    until([&] { return c.stats().waiting_now == 1; });
    auto third = spawn([&] { return text_of(c.get(bg, server.url())); });
    until([&] { return c.stats().waiting_now == 2; });
    cancel();
    EXPECT_TRUE(second.join().error().is(canceled));
    EXPECT_EQ(c.stats().waiting_now, 1u);
    const result<response> late = c.with_request_timeout(10ms).get(bg, server.url());
    EXPECT_EQ(message_of(late), "Get \"" + server.url() +
                                    "\": http: the request's timeout, while waiting for a "
                                    "connection: context deadline exceeded");
    go_on.close();
    EXPECT_EQ(first.join(), "ok");
    EXPECT_EQ(third.join(), "ok");
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST(http_client_pool, a_lost_connection_makes_room_for_a_waiter) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    });
    client_options options;
    options.limits.conns_per_host_max = 2;
    const client c(options);
    wait_group asking;
    for (int i = 0; i < 10; ++i)
      asking.go([&] { EXPECT_EQ(text_of(c.get(bg, server.url())), "ok"); });
    asking.wait();
    EXPECT_EQ(server.accepted(), 10);
    EXPECT_EQ(c.stats().waiting_now, 0u);
  });
}

TEST(http_client_pool, a_failed_dial_makes_room_for_a_waiter) {
  weft::run([] {
    script_server server(echo);
    chan<std::monostate> fail_now = make_chan<std::monostate>();
    rt::atomic<int> dials{0};
    client_options options;
    options.limits.conns_per_host_max = 1;
    options.dial = [&](const context& ctx, std::string_view) -> result<net::conn> {
      if (dials.fetch_add(1, rt::seq_cst) > 0) return net::dial(ctx, "tcp", server.address());
      fail_now.recv();
      return fail(error("no way"));
    };
    const client c(options);
    auto first = spawn([&] { return c.get(bg, "http://a.example/"); });
    until([&] { return c.stats().dialing_now == 1; });
    auto second = spawn([&] { return text_of(c.get(bg, "http://a.example/")); });
    until([&] { return c.stats().waiting_now == 1; });
    fail_now.close();
    EXPECT_EQ(message_of(first.join()), "Get \"http://a.example/\": no way");
    EXPECT_EQ(second.join(), "GET / HTTP/1.1|");
  });
}

// Under load, with everything that can happen to a connection, nothing is lost and nobody waits for
// ever.
TEST(http_client_pool, many_at_once) {
  weft::run([] {
    script_server server([](script_conn& c, int number) {
      seen_request r;
      for (int i = 0; c.read_request(r); ++i) {
        if ((number + i) % 5 == 4) {
          c.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
          return;
        }
        c.ok();
      }
    });
    client_options options;
    options.limits.conns_per_host_max = 7;
    const client c(options);
    wait_group asking;
    rt::atomic<int> good{0};
    for (int i = 0; i < 50; ++i)
      asking.go([&, i] {
        for (int k = 0; k < 20; ++k) {
          auto [ctx, cancel] = with_cancel(bg);
          if ((i + k) % 9 == 0) cancel();
          const result<response> r = c.get(ctx, server.url());
          if (r)
            good.fetch_add(1, rt::relaxed);
          else
            EXPECT_TRUE(r.error().is(canceled)) << r.error().message();
        }
      });
    asking.wait();
    EXPECT_GT(good.load(rt::relaxed), 800);
    until([&] { return c.stats().in_use_now == 0 && c.stats().dialing_now == 0; });
    EXPECT_EQ(c.stats().waiting_now, 0u);
    EXPECT_LE(c.stats().idle_now, 7u);
  });
}

// --- Dials that are overtaken --------------------------------------------------------------------

TEST(http_client_pool, a_connection_that_becomes_idle_overtakes_a_dial) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) c.ok();
    });
    chan<std::monostate> dial_now = make_chan<std::monostate>();
    rt::atomic<int> dials{0};
    client_options options;
    options.dial = [&](const context& ctx, std::string_view where) -> result<net::conn> {
      if (dials.fetch_add(1, rt::seq_cst) > 0) dial_now.recv();
      return net::dial(ctx, "tcp", where);
    };
    const client c(options);
    chan<std::string> input = make_chan<std::string>();
    auto first = spawn([&] {
      return text_of(
          c.send(http::request("POST", server.url(), http::body(std::make_unique<piped>(input)))));
    });
    until([&] { return c.stats().in_use_now == 1; });
    auto second = spawn([&] { return text_of(c.get(bg, server.url())); });
    until([&] { return dials.load(rt::seq_cst) == 2; });
    input.close();
    EXPECT_EQ(first.join(), "ok");
    EXPECT_EQ(second.join(), "ok");  // although its dial hangs
    EXPECT_EQ(c.stats().reuses, 1u);
    dial_now.close();
    until([&] { return c.stats().idle_now == 2; });  // the dial was not in vain
  });
}

// --- Trace ---------------------------------------------------------------------------------------

TEST(http_client_trace, steps) {
  weft::run([] {
    script_server server(echo);
    mutex lock;
    std::string steps;
    const auto note = [&](std::string text) {
      const std::lock_guard<mutex> held(lock);
      steps += text + ' ';
    };
    http::client_trace trace;
    trace.get_conn = [&](std::string_view where) { note("get_conn:" + std::string(where)); };
    trace.got_conn = [&](const http::got_conn_info& i) {
      note(std::string("got_conn:") + (i.reused ? "reused" : "new") + (i.was_idle ? ",idle" : ""));
      EXPECT_EQ(i.remote.string(), server.address());
      EXPECT_EQ(i.idle_time > 0ns, i.was_idle);
    };
    trace.connect_start = [&](std::string_view, std::string_view where) {
      note("connect_start:" + std::string(where));
    };
    trace.connect_done = [&](std::string_view, std::string_view, const error& e) {
      note(e ? "connect_failed" : "connect_done");
    };
    trace.dns_start = [&](std::string_view host) { note("dns_start:" + std::string(host)); };
    trace.dns_done = [&](size_t n, const error&) { note(n > 0 ? "dns_done" : "dns_failed"); };
    trace.wrote_headers = [&] { note("wrote_headers"); };
    trace.wrote_request = [&](const error& e) { note(e ? "write_failed" : "wrote_request"); };
    trace.first_byte = [&] { note("first_byte"); };
    trace.put_idle_conn = [&](const error& e) { note(e ? "not_put" : "put_idle"); };
    const context ctx = with_trace(bg, trace);
    const client c;
    EXPECT_EQ(text_of(c.get(ctx, server.url())), "GET / HTTP/1.1|");
    const std::string at = server.address();
    EXPECT_EQ(steps, "get_conn:" + at + " connect_start:" + at +
                         " connect_done got_conn:new wrote_headers wrote_request first_byte "
                         "put_idle ");
    steps.clear();
    EXPECT_EQ(text_of(c.get(ctx, server.url())), "GET / HTTP/1.1|");
    EXPECT_EQ(steps, "get_conn:" + at +
                         " got_conn:reused,idle wrote_headers wrote_request first_byte put_idle ");
    steps.clear();
    const std::string port = at.substr(at.find(':'));
    EXPECT_EQ(text_of(c.get(ctx, "http://localhost" + port + "/")), "GET / HTTP/1.1|");
    EXPECT_TRUE(steps.starts_with("get_conn:localhost" + port +
                                  " dns_start:localhost dns_done connect_start:"))
        << steps;
  });
}

}  // namespace
