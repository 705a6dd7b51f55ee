// SPDX-License-Identifier: Apache-2.0
// https, and tunnels through proxies.
#include <gtest/gtest.h>

#include <mutex>
#include <string>

#include "weft/http/client.hpp"
#include "weft/http/client_testing.hpp"
#include "weft/net/dial.hpp"
#include "weft/sched/run.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/tls.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using namespace std::chrono_literals;
using http::client;
using http::client_options;
using http::response;

const context bg = background();

/// https://localhost with a certificate of an authority that only `trusting()` knows.
struct secure_server {
  explicit secure_server(script_server::script s)
      : server(net::listen_tls("tcp", "127.0.0.1:0", world.server()).value(), std::move(s)) {}
  [[nodiscard]] std::string url(std::string_view path = "/", const char* name = "localhost") const {
    const std::string at = server.address();
    return std::string("https://") + name + at.substr(at.find(':')) + std::string(path);
  }
  [[nodiscard]] client_options trusting() const {
    client_options out;
    out.tls.root_ca_pem = world.authority.pem;
    return out;
  }
  tls_testing::small_world world;
  script_server server;
};

TEST(http_client_tls, requests) {
  weft::run([] {
    secure_server s(echo);
    const client c(s.trusting());
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(text_of(c.post(bg, s.url("/x"), "text/plain", "b")), "POST /x HTTP/1.1|b");
    EXPECT_EQ(s.server.accepted(), 1);
    EXPECT_EQ(c.stats().reuses, 4u);
    EXPECT_EQ(text_of(c.get(bg, s.url("/", "127.0.0.1"))), "GET / HTTP/1.1|");
    const std::string large(3'000'000, 'x');
    EXPECT_EQ(text_of(c.post(bg, s.url(), "text/plain", large)), "POST / HTTP/1.1|" + large);
  });
}

TEST(http_client_tls, strangers_are_refused) {
  weft::run([] {
    secure_server s(echo);
    const std::string nobody = message_of(client().get(bg, s.url()));
    EXPECT_TRUE(nobody.ends_with("tls: certificate signed by unknown authority")) << nobody;
    client_options wrong = s.trusting();
    wrong.tls.server_name = "other.example";
    EXPECT_FALSE(client(wrong).get(bg, s.url()));
    client_options careless;
    careless.tls.insecure_skip_verify = true;
    EXPECT_EQ(text_of(client(careless).get(bg, s.url())), "GET / HTTP/1.1|");
    client_options broken;
    broken.tls.root_ca_file = "/nowhere/ca.pem";
    const std::string no_file = message_of(client(broken).get(bg, s.url()));
    EXPECT_NE(no_file.find("/nowhere/ca.pem"), std::string::npos) << no_file;
  });
}

TEST(http_client_tls, a_handshake_that_hangs) {
  weft::run([] {
    const script_server silent([](script_conn& c, int) { c.wait_gone(); });
    client_options options;
    options.timeouts.tls_handshake = 30ms;
    const client c(options);
    const result<response> r = c.get(bg, "https://" + silent.address() + "/");
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().timeout()) << r.error().message();
    // The context ends it at once, too.
    options.timeouts.tls_handshake = 0s;
    auto [ctx, cancel] = with_timeout(bg, 30ms);
    EXPECT_TRUE(client(options).get(ctx, "https://" + silent.address() + "/").error().timeout());
  });
}

TEST(http_client_tls, trace) {
  weft::run([] {
    secure_server s(echo);
    mutex lock;
    std::string steps;
    http::client_trace trace;
    const auto note = [&](const char* text) {
      const std::lock_guard<mutex> held(lock);
      steps += text;
    };
    trace.connect_done = [&](std::string_view, std::string_view, const error&) { note("tcp "); };
    trace.tls_start = [&] { note("tls "); };
    trace.tls_done = [&](const error& e) { note(e ? "failed " : "done "); };
    trace.got_conn = [&](const http::got_conn_info&) { note("conn "); };
    const context ctx = with_trace(bg, trace);
    EXPECT_EQ(text_of(client(s.trusting()).get(ctx, s.url())), "GET / HTTP/1.1|");
    EXPECT_EQ(steps, "tcp tls done conn ");
    steps.clear();
    EXPECT_FALSE(client().get(ctx, s.url()));
    EXPECT_EQ(steps, "tcp tls failed ");
  });
}

TEST(http_client_tls, a_closed_idle_connection_leaves_at_once) {
  weft::run([] {
    chan<std::monostate> close_now = make_chan<std::monostate>();
    secure_server s([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.ok();
      close_now.recv();
    });
    const client c(s.trusting());
    EXPECT_EQ(text_of(c.get(bg, s.url())), "ok");
    EXPECT_EQ(c.stats().idle_now, 1u);
    close_now.close();
    until([&] { return c.stats().idle_now == 0; });
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

/// Bytes from one to the other until either ends.
void pump(const net::conn& from, const net::conn& to) {
  char piece[4096];
  for (;;) {
    const result<size_t> got = from.read(std::span<char>(piece));
    if (!got || *got == 0 || !to.write(std::string_view(piece, *got))) break;
  }
  (void)from.close();
  (void)to.close();
}

TEST(http_client_tls, through_a_proxy) {
  weft::run([] {
    secure_server s(echo);
    last_seen last;
    script_server proxy([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_head(r)) return;
      last.set(r);
      const result<net::conn> there = net::dial("tcp", s.server.address());
      if (!there) return;
      c.say("HTTP/1.1 200 Connection established\r\n\r\n");
      auto back = spawn([&] { pump(*there, c.conn); });
      pump(c.conn, *there);
      back.join();
    });
    client_options options = s.trusting();
    options.tls.server_name = "localhost";
    options.proxy = http::fixed_proxy(*http::url::parse("http://u:p@" + proxy.address()));
    const client c(options);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(text_of(c.get(bg, "https://far.example/x")), "GET /x HTTP/1.1|");
    EXPECT_EQ(last.get().line, "CONNECT far.example:443 HTTP/1.1");
    EXPECT_EQ(last.get().headers.get("Proxy-Authorization"), "Basic dTpw");
    EXPECT_EQ(proxy.accepted(), 1);
    c.close_idle();
  });
}

TEST(http_client_tls, a_proxy_over_tls) {
  weft::run([] {
    secure_server proxy([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) c.ok(r.line);
    });
    client_options options = proxy.trusting();
    options.proxy = http::fixed_proxy(*http::url::parse(proxy.url("")));
    EXPECT_EQ(text_of(client(options).get(bg, "http://far.example/x")),
              "GET http://far.example/x HTTP/1.1");
  });
}

}  // namespace
