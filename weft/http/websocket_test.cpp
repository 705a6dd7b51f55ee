// SPDX-License-Identifier: Apache-2.0
// WebSocket over connections: handshakes, echoes, endings.
#include "weft/http/websocket.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "weft/http/server.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/errors.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/conn.hpp"

namespace {

using namespace weft::http;
using namespace std::chrono_literals;
using weft::background;

/// A server whose every request is a WebSocket, given to a function.
class ws_service {
 public:
  using talk = std::function<void(const websocket&)>;
  explicit ws_service(talk with, websocket_options options = {})
      : options_(std::move(options)), with_(std::move(with)) {
    made_.emplace(server_options{.handler = [this](response_writer& w, request& r) {
      ++begun_;
      auto ws = websocket::accept(w, r, options_);
      if (ws) with_(*ws);
      ++handled;
    }});
    on_ = weft::net::listen("tcp", "127.0.0.1:0").value();
    served_ = weft::spawn([this] { return made_->serve(on_); });
  }
  ~ws_service() {
    made_->close();
    (void)served_.join();
    // The server does not count connections that were taken over.
    while (made_->stats().connections_now != 0 || handled != begun_) weft::yield();
  }
  [[nodiscard]] std::string url() const { return "ws://" + on_.addr().string() + "/x?y=1"; }
  [[nodiscard]] weft::net::conn dial() const {
    auto c = weft::net::dial("tcp", on_.addr().string()).value();
    (void)c.set_deadline(weft::now() + 20s);
    return c;
  }
  std::atomic<int> handled{0};

 private:
  std::atomic<int> begun_{0};
  websocket_options options_;
  talk with_;
  std::optional<server> made_;
  weft::net::listener on_;
  weft::task<weft::result<void>> served_;
};

void echo(const websocket& ws) {
  while (auto m = ws.read()) (void)ws.write(m->kind, m->data);
}

const std::string handshake =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The head of an answer.
std::string read_head(const weft::net::conn& c) {
  std::string out;
  char one = 0;
  while (!out.ends_with("\r\n\r\n")) {
    const auto got = c.read(std::span<char>(&one, 1));
    if (!got || *got == 0) break;
    out += one;
  }
  return out;
}

std::string read_bytes(const weft::net::conn& c, size_t count) {
  std::string out(count, '\0');
  const auto got = c.read_full(std::span<char>(out));
  out.resize(got.value_or(0));
  return out;
}

bool at_end(const weft::net::conn& c) {
  char one = 0;
  const auto got = c.read(std::span<char>(&one, 1));
  return got && *got == 0;
}

/// A masked frame with the mask 0, so that the payload is as it is.
std::string frame(unsigned first, std::string_view payload) {
  std::string out{static_cast<char>(first), static_cast<char>(0x80 | payload.size())};
  out.append(4, '\0');
  return out.append(payload);
}

TEST(http_websocket, the_handshake_of_the_rfc) {
  weft::run([] {
    const ws_service service(echo);
    const auto c = service.dial();
    // The first frame comes with the handshake.
    ASSERT_TRUE(c.write(handshake + "\r\n" + frame(0x81, "Hi")));
    const std::string head = read_head(c);
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
    EXPECT_NE(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
              std::string::npos)
        << head;
    EXPECT_EQ(read_bytes(c, 4), "\x81\x02Hi");
    ASSERT_TRUE(c.write(frame(0x89, "p")));
    EXPECT_EQ(read_bytes(c, 3), "\x8a\x01p");
    ASSERT_TRUE(c.write(frame(0x88, std::string("\x03\xe8", 2))));
    EXPECT_EQ(read_bytes(c, 4), std::string("\x88\x02\x03\xe8", 4));
    EXPECT_TRUE(at_end(c));
  });
}

TEST(http_websocket, handshakes_that_are_none) {
  weft::run([] {
    const ws_service service(echo);
    const auto status = [&](const std::string& text) {
      const auto c = service.dial();
      EXPECT_TRUE(c.write(text));
      return read_head(c).substr(9, 3);
    };
    const auto without = [](const std::string& line) {
      std::string out = handshake;
      const size_t at = out.find(line);
      return out.erase(at, out.find('\n', at) + 1 - at) + "\r\n";
    };
    EXPECT_EQ(status(handshake + "\r\n"), "101");
    EXPECT_EQ(status(without("Upgrade:")), "426");
    EXPECT_EQ(status(without("Connection:")), "426");
    EXPECT_EQ(status(without("Sec-WebSocket-Version")), "426");
    EXPECT_EQ(status(without("Sec-WebSocket-Key")), "400");
    EXPECT_EQ(status(handshake + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), "400");
    EXPECT_EQ(status(without("Sec-WebSocket-Key").insert(16, "Sec-WebSocket-Key: short==\r\n")),
              "400");
    EXPECT_EQ(status(without("Sec-WebSocket-Version").insert(16, "Sec-WebSocket-Version: 8\r\n")),
              "426");
    EXPECT_EQ(status(handshake + "Origin: http://h\r\n\r\n"), "101");
    EXPECT_EQ(status(handshake + "Origin: http://evil.example\r\n\r\n"), "403");
    EXPECT_EQ(status(handshake + "Origin: null\r\n\r\n"), "403");
    std::string post = handshake + "\r\n";
    post.replace(0, 3, "POST");
    EXPECT_EQ(status(post), "426");
  });
}

TEST(http_websocket, client_and_server) {
  weft::run([] {
    for (const bool compression : {false, true}) {
      const ws_service service(echo, {.protocols = {"b", "a"}, .message_bytes_max = 3 << 20});
      auto made = websocket::connect(
          background(), service.url(),
          {.protocols = {"a", "b"}, .message_bytes_max = 3 << 20, .compression = compression});
      ASSERT_TRUE(made) << made.error().message();
      const websocket& ws = *made;
      EXPECT_EQ(ws.protocol(), "b");
      EXPECT_EQ(ws.compressed(), compression);
      for (const size_t size :
           {0UL, 1UL, 125UL, 126UL, 255UL, 256UL, 65535UL, 65536UL, 2000000UL}) {
        std::string text(size, 'x');
        for (size_t i = 0; i < size; i += 97) text[i] = static_cast<char>('a' + i % 26);
        auto writing = weft::spawn([&] { return ws.write_binary(text); });
        const auto back = ws.read();
        ASSERT_TRUE(back) << back.error().message();
        EXPECT_TRUE(back->data == text) << size;
        EXPECT_EQ(back->kind, ws_kind::binary);
        EXPECT_TRUE(writing.join());
      }
      ASSERT_TRUE(ws.write_text("\xc3\xa9"));
      EXPECT_EQ(ws.read()->kind, ws_kind::text);
      EXPECT_FALSE(ws.write_text("\xff"));
      EXPECT_TRUE(ws.close(4000, "enough"));
      const auto after = ws.read();
      ASSERT_FALSE(after);
      EXPECT_TRUE(after.error().is(ws_ended));
      EXPECT_TRUE(ws.write_text("x").error().is(ws_ended));
    }
  });
}

TEST(http_websocket, both_sides_learn_why_it_ended) {
  weft::run([] {
    std::optional<ws_close> seen;
    {
      const ws_service service([&](const websocket& ws) {
        const auto m = ws.read();
        if (!m && m.error().as<ws_close>() != nullptr) seen = *m.error().as<ws_close>();
      });
      const auto ws = websocket::connect(background(), service.url()).value();
      EXPECT_TRUE(ws.close(3001, "so long"));
      while (service.handled == 0) weft::yield();
    }
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->code, 3001);
    EXPECT_EQ(seen->reason, "so long");

    const ws_service closing([](const websocket& ws) { (void)ws.close(1001, "going"); });
    const auto ws = websocket::connect(background(), closing.url()).value();
    const auto m = ws.read();
    ASSERT_FALSE(m);
    ASSERT_NE(m.error().as<ws_close>(), nullptr);
    EXPECT_EQ(m.error().as<ws_close>()->code, 1001);
    EXPECT_EQ(m.error().as<ws_close>()->reason, "going");
  });
}

TEST(http_websocket, a_peer_that_breaks_the_rules_is_told) {
  weft::run([] {
    const ws_service service(echo, {.message_bytes_max = 100});
    struct row {
      std::string bytes;
      int code;
    };
    for (const row& r : {row{frame(0x81, "\xff"), 1007}, row{frame(0xc1, "x"), 1002},
                         row{std::string("\x81\x01x", 3), 1002},
                         row{std::string("\x82\xfe\x01\x00\0\0\0\0", 8), 1009}}) {
      const auto c = service.dial();
      ASSERT_TRUE(c.write(handshake + "\r\n" + r.bytes));
      (void)read_head(c);
      const std::string head = read_bytes(c, 4);
      ASSERT_EQ(head.size(), 4U);
      EXPECT_EQ(head[0], '\x88');
      EXPECT_EQ(static_cast<uint8_t>(head[2]) * 256 + static_cast<uint8_t>(head[3]), r.code);
      const std::string reason = read_bytes(c, static_cast<size_t>(head[1]) - 2);
      EXPECT_FALSE(reason.empty());
      EXPECT_TRUE(at_end(c));
    }
  });
}

TEST(http_websocket, gone_without_a_word) {
  weft::run([] {
    std::optional<int> code;
    const ws_service service([&](const websocket& ws) {
      const auto m = ws.read();
      if (!m && m.error().as<ws_close>() != nullptr) code = m.error().as<ws_close>()->code;
    });
    const auto c = service.dial();
    ASSERT_TRUE(c.write(handshake + "\r\n"));
    (void)read_head(c);
    (void)c.close();
    while (service.handled == 0) weft::yield();
    EXPECT_EQ(code, 1006);
  });
}

TEST(http_websocket, a_silent_peer_is_pinged_and_then_given_up) {
  weft::run([] {
    const ws_service service(echo, {.ping_interval = 50ms});
    const auto c = service.dial();
    ASSERT_TRUE(c.write(handshake + "\r\n"));
    (void)read_head(c);
    EXPECT_EQ(read_bytes(c, 2), std::string("\x89\x00", 2));
    ASSERT_TRUE(c.write(frame(0x8a, "")));  // a pong: it goes on
    EXPECT_EQ(read_bytes(c, 2), std::string("\x89\x00", 2));
    EXPECT_TRUE(at_end(c));
  });
}

TEST(http_websocket, close_does_not_wait_for_ever) {
  weft::run([] {
    std::atomic<bool> timed_out{false};
    const ws_service service(
        [&](const websocket& ws) {
          const auto closed = ws.close();
          timed_out = !closed && closed.error().timeout();
        },
        {.close_timeout = 50ms});
    const auto c = service.dial();
    ASSERT_TRUE(c.write(handshake + "\r\n"));
    (void)read_head(c);
    EXPECT_EQ(read_bytes(c, 4), std::string("\x88\x02\x03\xe8", 4));
    while (service.handled == 0) weft::yield();
    EXPECT_TRUE(timed_out);
  });
}

TEST(http_websocket, close_while_another_goroutine_reads) {
  weft::run([] {
    const ws_service service(echo);
    const auto ws = websocket::connect(background(), service.url()).value();
    auto reading = weft::spawn([&] { return ws.read(); });
    weft::yield();
    EXPECT_TRUE(ws.close(1000));
    const auto m = reading.join();
    ASSERT_FALSE(m);
    EXPECT_TRUE(m.error().is(ws_ended)) << m.error().message();
  });
}

TEST(http_websocket, many_writers_make_whole_messages) {
  weft::run([] {
    const ws_service service(echo);
    const auto ws = websocket::connect(background(), service.url()).value();
    weft::wait_group writers;
    constexpr int each = 100;
    for (int w = 0; w < 8; ++w)
      writers.go([&, w] {
        for (int i = 0; i < each; ++i)
          EXPECT_TRUE(
              ws.write_text(std::string(static_cast<size_t>(w * 50), static_cast<char>('a' + w))));
      });
    for (int i = 0; i < 8 * each; ++i) {
      const auto m = ws.read();
      ASSERT_TRUE(m);
      EXPECT_EQ(m->data.find_first_not_of(m->data.substr(0, 1)), std::string::npos);
    }
    writers.wait();
    EXPECT_TRUE(ws.close());
  });
}

TEST(http_websocket, a_client_that_cannot_connect) {
  weft::run([] {
    const auto why = [](const weft::result<websocket>& made) {
      return made ? std::string() : made.error().message();
    };
    EXPECT_NE(why(websocket::connect(background(), "http://h/")).find("must begin with ws://"),
              std::string::npos);
    const ws_service forbidding(echo, {.check_origin = [](const request&) { return false; }});
    EXPECT_NE(why(websocket::connect(background(), forbidding.url())).find("answered 403"),
              std::string::npos);
    // A server that never answers.
    const auto on = weft::net::listen("tcp", "127.0.0.1:0").value();
    const auto made =
        websocket::connect(background(), "ws://" + on.addr().string(), {.handshake_timeout = 50ms});
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().timeout()) << made.error().message();
  });
}

TEST(http_websocket, over_tls) {
  weft::run([] {
    const weft::tls_testing::small_world world;
    const server made({.handler = [](response_writer& w, request& r) {
      auto ws = websocket::accept(w, r);
      if (ws) echo(*ws);
    }});
    const auto on = weft::net::listen_tls("tcp", "127.0.0.1:0", world.server()).value();
    auto serving = weft::spawn([&] { return made.serve(on); });
    const std::string where = "wss://" + on.addr().string() + "/";
    // Nobody whom the system trusts has signed this.
    EXPECT_FALSE(websocket::connect(background(), where));
    websocket_options options;
    options.dial = [&](const weft::context& ctx, const url& to) {
      return weft::net::dial_tls(ctx, "tcp", to.host, world.client());
    };
    const auto ws = websocket::connect(background(), where, options);
    ASSERT_TRUE(ws) << ws.error().message();
    const std::string text(100000, 'x');
    ASSERT_TRUE(ws->write_text(text));
    EXPECT_EQ(ws->read()->data, text);
    EXPECT_TRUE(ws->close());
    made.close();
    (void)serving.join();
  });
}

TEST(http_websocket, an_empty_handle) {
  weft::run([] {
    const websocket none;
    EXPECT_TRUE(none.read().error().is(ws_ended));
    EXPECT_TRUE(none.write_text("x").error().is(ws_ended));
    EXPECT_FALSE(none);
  });
}

}  // namespace
