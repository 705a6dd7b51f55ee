// SPDX-License-Identifier: Apache-2.0
// The client against scripted servers: limits of time, and cancellation in each phase.
#include <gtest/gtest.h>

#include <string>

#include "weft/http/client.hpp"
#include "weft/http/client_testing.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/timer.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using namespace std::chrono_literals;
using http::client;
using http::client_options;
using http::response;

const context bg = background();

TEST(http_client_time, a_server_that_does_not_answer) {
  weft::run([] {
    script_server server([](script_conn& c, int) { c.wait_gone(); });
    client_options options;
    options.timeouts.response_header = 30ms;
    const client c(options);
    const result<response> r = c.get(bg, server.url());
    EXPECT_TRUE(message_of(r).starts_with("Get \"" + server.url() +
                                          "\": http: timeout, while waiting for the response's "
                                          "head: read tcp "))
        << message_of(r);
    EXPECT_TRUE(r.error().timeout());
    EXPECT_TRUE(r.error().is(net::err_timeout));
    EXPECT_EQ(c.stats().in_use_now, 0u);
    EXPECT_EQ(c.stats().retries, 0u);
    // Not while it still takes the body.
    const result<response> p = c.post(bg, server.url(), "text/plain", "x");
    EXPECT_TRUE(p.error().timeout());
  });
}

TEST(http_client_time, the_limit_of_the_whole_request) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      if (r.line.starts_with("GET /body"))
        c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
      c.wait_gone();
    });
    const client c = client().with_request_timeout(50ms);
    result<response> r = c.get(bg, server.url());
    EXPECT_EQ(message_of(r), "Get \"" + server.url() +
                                 "\": http: the request's timeout, while waiting for the "
                                 "response's head: context deadline exceeded");
    EXPECT_TRUE(r.error().timeout());
    EXPECT_TRUE(r.error().is(deadline_exceeded));
    // Longer: the head must come in time, however slow this machine is.
    r = c.with_request_timeout(2s).get(bg, server.url("/body"));
    ASSERT_TRUE(r) << r.error().message();
    const result<std::string> text = r->body.read_all();
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().timeout());
    EXPECT_EQ(text.error().message(),
              "http: the request's timeout, while reading the response's body: context deadline "
              "exceeded");
    // It goes on failing, and does not read another message's bytes.
    char one[1];
    EXPECT_FALSE(r->body.read(one));
  });
}

TEST(http_client_time, a_stalled_body) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
      c.wait_gone();
    });
    client_options options;
    options.timeouts.stall = 30ms;
    const client c(options);
    result<response> r = c.get(bg, server.url());
    ASSERT_TRUE(r);
    const result<std::string> text = r->body.read_all();
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().timeout());
    EXPECT_TRUE(text.error().message().starts_with("http: timeout, while reading"));
  });
}

TEST(http_client_time, a_peer_that_does_not_take_the_body) {
  weft::run([] {
    chan<std::monostate> end = make_chan<std::monostate>();
    script_server server([&](script_conn&, int) { end.recv(); });
    client_options options;
    options.timeouts.stall = 50ms;
    const client c(options);
    const result<response> r = c.post(bg, server.url(), "text/plain", std::string(50'000'000, 'x'));
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().timeout()) << r.error().message();
    end.close();
  });
}

TEST(http_client_time, a_dial_that_hangs) {
  weft::run([] {
    client_options options;
    options.timeouts.dial = 30ms;
    options.dial = [](const context& ctx, std::string_view) -> result<net::conn> {
      ctx.done().recv();
      return fail(ctx.err());
    };
    const client c(options);
    const result<response> r = c.get(bg, "http://nowhere.example/");
    EXPECT_EQ(message_of(r), "Get \"http://nowhere.example/\": context deadline exceeded");
    EXPECT_TRUE(r.error().timeout());
    EXPECT_EQ(c.stats().dials_failed, 1u);
  });
}

// --- Cancellation, in each phase ----------------------------------------------------------------

TEST(http_client_time, canceled_before) {
  weft::run([] {
    auto [ctx, cancel] = with_cancel(bg);
    cancel();
    const result<response> r = client().get(ctx, "http://127.0.0.1:9/");
    EXPECT_TRUE(r.error().is(canceled));
    EXPECT_FALSE(r.error().timeout());
    EXPECT_EQ(message_of(r), "Get \"http://127.0.0.1:9/\": context canceled");
  });
}

TEST(http_client_time, canceled_while_dialing) {
  weft::run([] {
    const chan<std::monostate> dialing = make_chan<std::monostate>();
    const chan<std::monostate> end = make_chan<std::monostate>();
    client_options options;
    options.dial = [=](const context&, std::string_view) -> result<net::conn> {
      dialing.send({});
      end.recv();
      return fail(error("late"));
    };
    auto [ctx, cancel] = with_cancel(bg);
    const client c(options);
    auto asking = spawn([&, asked_in = ctx] { return c.get(asked_in, "http://a.example/"); });
    dialing.recv();
    cancel();
    const result<response> r = asking.join();
    EXPECT_TRUE(r.error().is(canceled));
    EXPECT_EQ(c.stats().dialing_now, 1u);  // it goes on, and may serve another request
    end.close();
    until([&] { return c.stats().dialing_now == 0; });
  });
}

TEST(http_client_time, canceled_while_waiting_for_the_head) {
  weft::run([] {
    const chan<std::monostate> asked = make_chan<std::monostate>(1);
    const chan<std::monostate> gone = make_chan<std::monostate>(1);
    script_server server([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      asked.send({});
      c.wait_gone();
      gone.send({});
    });
    auto [ctx, cancel] = with_cancel(bg);
    const client c;
    auto asking = spawn([&, asked_in = ctx] { return c.get(asked_in, server.url()); });
    asked.recv();
    cancel();
    const result<response> r = asking.join();
    EXPECT_EQ(message_of(r), "Get \"" + server.url() + "\": context canceled");
    EXPECT_TRUE(r.error().is(canceled));
    gone.recv();  // the server is told
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

TEST(http_client_time, canceled_while_writing_the_body) {
  weft::run([] {
    const chan<std::monostate> end = make_chan<std::monostate>();
    script_server server([&](script_conn&, int) { end.recv(); });
    auto [ctx, cancel] = with_cancel(bg);
    const client c;
    http::request r("POST", server.url(), std::string(50'000'000, 'x'));
    r.set_context(ctx);
    auto asking = spawn([&] { return c.send(std::move(r)); });
    until([&] { return server.accepted() == 1; });
    cancel();
    EXPECT_TRUE(asking.join().error().is(canceled));
    end.close();
  });
}

TEST(http_client_time, canceled_while_reading_the_body) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
      c.wait_gone();
    });
    auto [ctx, cancel] = with_cancel(bg);
    const client c;
    result<response> r = c.get(ctx, server.url());
    ASSERT_TRUE(r);
    auto reading = spawn([&] { return r->body.read_all(); });
    cancel();
    const result<std::string> text = reading.join();
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().is(canceled)) << text.error().message();
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

TEST(http_client_time, a_context_that_ends_later_harms_nobody) {
  weft::run([] {
    script_server server(echo);
    const client c;
    for (int i = 0; i < 50; ++i) {
      auto [ctx, cancel] = with_cancel(bg);
      EXPECT_EQ(text_of(c.get(ctx, server.url())), "GET / HTTP/1.1|");
      cancel();
    }
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST(http_client_time, deadline_of_the_context) {
  weft::run([] {
    script_server server([](script_conn& c, int) { c.wait_gone(); });
    auto [ctx, cancel] = with_timeout(bg, 30ms);
    const result<response> r = client().get(ctx, server.url());
    EXPECT_EQ(message_of(r), "Get \"" + server.url() + "\": context deadline exceeded");
    EXPECT_TRUE(r.error().timeout());
  });
}

}  // namespace
