// SPDX-License-Identifier: Apache-2.0
// TLS connections that wait without a goroutine: told of data and ends, not of tickets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "weft/net/internal/stream.hpp"
#include "weft/net/pipe.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/tls.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::conn;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

/// Sends what it is told into a channel.
class teller final : public rt::read_watcher {
 public:
  void readable() override { told.send(1); }
  chan<int> told = make_chan<int>(1);
};

struct ends {
  conn server;
  conn client;
  conn client_below;
};

ends shaken() {
  static const tls_testing::small_world world;
  static const auto serving = net::tls_context::make(world.server()).value();
  static const auto calling = net::tls_context::make(world.client()).value();
  ends made;
  const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
  made.client_below = net::dial("tcp", at.addr().string()).value();
  made.server = net::tls_server(at.accept().value(), serving);
  made.client = net::tls_client(made.client_below, calling);
  auto other = spawn([&] { return net::handshake(made.server, background()).has_value(); });
  EXPECT_TRUE(net::handshake(made.client, background()));
  EXPECT_TRUE(other.join());
  return made;
}

TEST(tls_watch, data_and_ends_are_told) {
  weft::run([] {
    const ends both = shaken();
    teller watcher;
    const int64_t before = num_goroutine();
    ASSERT_TRUE(both.server.stream()->watch_readable(watcher));
    EXPECT_EQ(num_goroutine(), before);
    (void)both.client.write("hello");
    EXPECT_TRUE(watcher.told.recv());
    char text[16];
    EXPECT_EQ(both.server.read(std::span<char>(text)).value(), 5U);
    ASSERT_TRUE(both.server.stream()->watch_readable(watcher));
    (void)both.client.close();
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_EQ(both.server.read(std::span<char>(text)).value(), 0U);
    EXPECT_FALSE(both.server.stream()->watch_readable(watcher));
  });
}

TEST(tls_watch, a_hangup_is_told_and_taken_out) {
  weft::run([] {
    const ends both = shaken();
    teller watcher;
    ASSERT_TRUE(both.server.stream()->watch_hangup(watcher));
    EXPECT_TRUE(both.server.stream()->unwatch());
    EXPECT_FALSE(both.server.stream()->unwatch());
    (void)both.client.write("hello");
    char text[16];
    EXPECT_EQ(both.server.read(std::span<char>(text)).value(), 5U);
    EXPECT_EQ(watcher.told.len(), 0U);
    ASSERT_TRUE(both.server.stream()->watch_hangup(watcher));
    (void)both.client_below.close();
    EXPECT_TRUE(watcher.told.recv());
    until([&] { return both.server.stream()->hung_up(); });
    EXPECT_FALSE(both.server.stream()->watch_hangup(watcher));
  });
}

TEST(tls_watch, what_is_decrypted_already_arms_nothing) {
  weft::run([] {
    const ends both = shaken();
    teller watcher;
    (void)both.client.write("hello");
    char one = 0;
    EXPECT_EQ(both.server.read(std::span<char>(&one, 1)).value(), 1U);
    EXPECT_FALSE(both.server.stream()->watch_readable(watcher));
  });
}

TEST(tls_watch, tickets_are_taken_without_telling) {
  weft::run([] {
    const ends both = shaken();
    teller watcher;
    // The server's tickets lie unread in the client's socket, or are about to.
    ASSERT_TRUE(both.client.stream()->watch_readable(watcher));
    until([&] {
      // Taken: nothing is left in the socket below.
      char byte = 0;
      return ::recv(both.client.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
    });
    EXPECT_EQ(watcher.told.len(), 0U);
    EXPECT_TRUE(both.client.stream()->unwatch());
    EXPECT_FALSE(both.client.stream()->unwatch());
    (void)both.server.write("data");
    char text[16];
    EXPECT_EQ(both.client.read(std::span<char>(text)).value(), 4U);
    EXPECT_EQ(watcher.told.len(), 0U);
  });
}

TEST(tls_watch, close_and_deadline_are_told) {
  weft::run([] {
    const ends both = shaken();
    teller watcher;
    ASSERT_TRUE(both.server.stream()->watch_readable(watcher));
    (void)both.server.set_read_deadline(weft::now() + 2ms);
    EXPECT_TRUE(watcher.told.recv());
    char text[16];
    EXPECT_TRUE(both.server.read(std::span<char>(text)).error().timeout());
    (void)both.server.set_read_deadline({});
    ASSERT_TRUE(both.server.stream()->watch_readable(watcher));
    (void)both.server.close();
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_TRUE(both.server.read(std::span<char>(text)).error().is(net::closed));
  });
}

TEST(tls_watch, before_the_handshake_its_first_bytes_are_told) {
  weft::run([] {
    static const tls_testing::small_world world;
    auto over = net::pipe();
    const conn server = net::tls_server(over.first, world.server()).value();
    const conn client = net::tls_client(over.second, world.client()).value();
    teller watcher;
    ASSERT_TRUE(server.stream()->watch_readable(watcher));
    auto calling = spawn([&] { return client.write("early").value_or(0); });
    EXPECT_TRUE(watcher.told.recv());
    char text[16];
    EXPECT_EQ(server.read(std::span<char>(text)).value(), 5U);
    EXPECT_EQ(calling.join(), 5U);
  });
}

TEST(tls_watch, arming_and_taking_out_at_any_moment) {
  weft::run([] {
    const ends both = shaken();
    // Drains the tickets, so that what is told is data.
    (void)both.server.write("first");
    char text[64];
    ASSERT_EQ(both.client.read(std::span<char>(text)).value(), 5U);
    int told = 0;
    int taken = 0;
    for (int i = 0; i < 300; ++i) {
      teller watcher;
      const bool armed = both.client.stream()->watch_readable(watcher);
      auto writing = spawn([&] { (void)both.server.write("x"); });
      if (armed && i % 3 == 0) {
        if (both.client.stream()->unwatch()) {
          ++taken;
        } else {
          EXPECT_TRUE(watcher.told.recv());
          ++told;
        }
      } else if (armed) {
        EXPECT_TRUE(watcher.told.recv());
        ++told;
      }
      EXPECT_EQ(both.client.read(std::span<char>(text)).value(), 1U);
      writing.join();
      EXPECT_EQ(watcher.told.len(), 0U);
    }
    EXPECT_GT(told, 0);
    EXPECT_GE(taken, 0);
  });
}

}  // namespace
