// SPDX-License-Identifier: Apache-2.0
// UDP on the loopback.
#include "weft/net/packet_conn.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "weft/net/listener.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::packet_conn;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

std::string message_of(const auto& failed) {
  return failed ? "(no error)" : failed.error().message();
}

packet_conn bound() { return net::listen_packet("udp", "127.0.0.1:0").value(); }

TEST(udp, datagrams_keep_their_borders_and_say_who_sent_them) {
  weft::run([] {
    const packet_conn server = bound();
    const packet_conn client = bound();
    for (const std::string text : {"one", "", "three"})
      EXPECT_TRUE(client.write_to(text, server.local_addr()));
    for (const std::string text : {"one", "", "three"}) {
      char buffer[64];
      const auto got = server.read_from(std::span<char>(buffer));
      ASSERT_TRUE(got) << message_of(got);
      EXPECT_EQ(std::string(buffer, got->bytes), text);
      EXPECT_EQ(got->from, client.local_addr());
      EXPECT_FALSE(got->truncated());
    }
    EXPECT_EQ(server.remote_addr().kind, net::family::none);
  });
}

TEST(udp, a_dialed_socket_talks_with_its_peer_only) {
  weft::run([] {
    const packet_conn server = bound();
    const packet_conn client = net::dial_packet("udp", server.local_addr().string()).value();
    const packet_conn stranger = bound();
    EXPECT_EQ(client.remote_addr(), server.local_addr());
    EXPECT_TRUE(client.write("question"));
    char buffer[64];
    const auto asked = server.read_from(std::span<char>(buffer));
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->from, client.local_addr());
    EXPECT_TRUE(stranger.write_to("spam", client.local_addr()));
    EXPECT_TRUE(server.write_to("answer", asked->from));
    const auto answered = client.read_from(std::span<char>(buffer));
    ASSERT_TRUE(answered);
    EXPECT_EQ(std::string(buffer, answered->bytes), "answer");
    EXPECT_EQ(message_of(client.write_to("x", server.local_addr())),
              "write udp " + client.local_addr().string() + "->" + server.local_addr().string() +
                  ": write_to on a dialed socket: use write");
    EXPECT_FALSE(server.write("to whom?"));
  });
}

TEST(udp, what_does_not_fit_is_reported) {
  weft::run([] {
    const packet_conn server = bound();
    const packet_conn client = bound();
    EXPECT_TRUE(client.write_to("0123456789", server.local_addr()));
    EXPECT_TRUE(client.write_to("next", server.local_addr()));
    char buffer[4];
    auto got = server.read_from(std::span<char>(buffer));
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->truncated());
    EXPECT_EQ(got->bytes, 4U);
    EXPECT_EQ(got->sent_bytes, 10U);
    got = server.read_from(std::span<char>(buffer));
    ASSERT_TRUE(got);
    EXPECT_EQ(std::string(buffer, got->bytes), "next");
    const auto huge = client.write_to(std::string(70'000, 'x'), server.local_addr());
    EXPECT_EQ(message_of(huge),
              "write udp " + client.local_addr().string() + ": sendto: message too long");
  });
}

TEST(udp, deadlines_and_close) {
  weft::run([] {
    const packet_conn server = bound();
    char buffer[4];
    (void)server.set_read_deadline(weft::now() + 2ms);
    const auto late = server.read_from(std::span<char>(buffer));
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().timeout());
    EXPECT_EQ(message_of(late), "read udp " + server.local_addr().string() + ": i/o timeout");
    (void)server.set_deadline({});
    const uint32_t before = rt::netpoll_waiters();
    auto reading = spawn([&] {
      char byte[1];
      return server.read_from(std::span<char>(byte));
    });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    EXPECT_TRUE(server.close());
    EXPECT_TRUE(reading.join().error().is(net::closed));
    EXPECT_TRUE(server.write_to("x", server.local_addr()).error().is(net::closed));
    EXPECT_FALSE(packet_conn{}.write("x"));
  });
}

TEST(udp, nobody_there) {
  weft::run([] {
    std::string gone;
    {
      const packet_conn at = bound();
      gone = at.local_addr().string();
    }
    const packet_conn client = net::dial_packet("udp", gone).value();
    EXPECT_TRUE(client.write("anybody?"));
    char buffer[4];
    const auto got = client.read_from(std::span<char>(buffer));
    EXPECT_EQ(message_of(got),
              "read udp " + client.local_addr().string() + "->" + gone + ": connection refused");
  });
}

TEST(udp, one_socket_for_both_families) {
  weft::run([] {
    const packet_conn any = net::listen_packet("udp", ":0").value();
    if (any.local_addr().kind != net::family::ipv6) GTEST_SKIP() << "no IPv6 here";
    const std::string port = std::to_string(any.local_addr().port);
    for (const std::string host : {"127.0.0.1:", "[::1]:"}) {
      const packet_conn client = net::dial_packet("udp", host + port).value();
      EXPECT_TRUE(client.write("hello"));
      char buffer[16];
      const auto got = any.read_from(std::span<char>(buffer));
      ASSERT_TRUE(got);
      EXPECT_EQ(got->from, client.local_addr());
      const auto back = any.write_to("back", got->from);
      EXPECT_TRUE(back) << message_of(back);
      EXPECT_EQ(client.read_from(std::span<char>(buffer)).value().bytes, 4U);
    }
  });
}

TEST(udp, errors_say_what_and_where) {
  weft::run([] {
    const packet_conn at = bound();
    EXPECT_EQ(message_of(net::listen_packet("udp", at.local_addr().string())),
              "listen udp " + at.local_addr().string() + ": bind: address already in use");
    EXPECT_EQ(message_of(net::listen_packet("tcp", ":0")),
              "listen tcp: unknown network tcp (udp, udp4 and udp6 are known)");
    EXPECT_EQ(message_of(net::listen("udp", ":0")),
              "listen udp: unknown network udp (tcp, tcp4, tcp6 and unix are known)");
    EXPECT_FALSE(net::dial("", "x:1"));
    EXPECT_FALSE(at.write_to("x", net::address{}));
    EXPECT_EQ(net::parse_address(at.local_addr().string()).value(), at.local_addr());
    EXPECT_EQ(message_of(net::parse_address("localhost:1")),
              "address localhost:1: not a numeric address");
  });
}

TEST(udp, many_senders) {
  weft::run([] {
    const packet_conn server = bound();
    (void)server.set_read_buffer(1 << 20);
    constexpr int senders = 50;
    std::atomic<int> answered{0};
    auto echo = spawn([&] {
      char buffer[64];
      for (;;) {
        const auto got = server.read_from(std::span<char>(buffer));
        if (!got) return;
        (void)server.write_to(std::string_view(buffer, got->bytes), got->from);
      }
    });
    wait_group all;
    for (int i = 0; i < senders; ++i) {
      all.go([&, i] {
        const packet_conn client = net::dial_packet("udp", server.local_addr().string()).value();
        const std::string text = std::to_string(i);
        char buffer[64];
        // A datagram may be lost even here, when a buffer is full: asked again, as one does.
        for (;;) {
          EXPECT_TRUE(client.write(text));
          (void)client.set_read_deadline(weft::now() + 200ms);
          const auto got = client.read_from(std::span<char>(buffer));
          if (!got) continue;
          if (std::string_view(buffer, got->bytes) == text) ++answered;
          return;
        }
      });
    }
    all.wait();
    (void)server.close();
    echo.join();
    EXPECT_EQ(answered, senders);
  });
}

}  // namespace
