// SPDX-License-Identifier: Apache-2.0
// Options of sockets, asked back from the system.
#include "weft/net/options.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <vector>

#include "weft/net/net.hpp"
#include "weft/sched/run.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;

int option_of(int fd, int level, int option) {
  int value = -1;
  socklen_t bytes = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, option, &value, &bytes), 0);
  return value;
}

void expect_keep_alive(const net::conn& c, int idle_s, int interval_s, int count) {
  const int fd = c.native_handle();
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), idle_s);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), interval_s);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), count);
}

TEST(net_options, defaults_of_both_ends) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
    const net::conn client = net::dial("tcp", at.addr().string()).value();
    const net::conn server = at.accept().value();
    for (const net::conn& c : {client, server}) {
      expect_keep_alive(c, 15, 15, 9);
      EXPECT_EQ(option_of(c.native_handle(), IPPROTO_TCP, TCP_NODELAY), 1);
    }
  });
}

TEST(net_options, keep_alive_as_asked) {
  weft::run([] {
    const net::listener at =
        net::listen("tcp", "127.0.0.1:0",
                    {.keep_alive = {.idle = 61s, .interval = 1500ms, .count = 3}})
            .value();
    const net::conn client =
        net::dial("tcp", at.addr().string(), {.keep_alive = {.idle = 1h * 24, .count = 1000}})
            .value();
    const net::conn server = at.accept().value();
    expect_keep_alive(server, 61, 2, 3);
    expect_keep_alive(client, 32767, 15, 127);
    EXPECT_TRUE(server.set_keep_alive({.idle = 0s, .interval = 7s, .count = 0}));
    expect_keep_alive(server, 15, 7, 9);
    EXPECT_TRUE(server.set_keep_alive({.enable = false}));
    EXPECT_EQ(option_of(server.native_handle(), SOL_SOCKET, SO_KEEPALIVE), 0);
  });
}

TEST(net_options, without_keep_alive) {
  weft::run([] {
    const net::listener at =
        net::listen("tcp", "127.0.0.1:0", {.keep_alive = {.enable = false}}).value();
    const net::conn client =
        net::dial("tcp", at.addr().string(), {.keep_alive = {.enable = false}}).value();
    const net::conn server = at.accept().value();
    EXPECT_EQ(option_of(client.native_handle(), SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option_of(server.native_handle(), SOL_SOCKET, SO_KEEPALIVE), 0);
  });
}

TEST(net_options, several_listeners_on_one_port) {
  weft::run([] {
    const net::listener first = net::listen("tcp", "127.0.0.1:0", {.reuse_port = true}).value();
    const std::string where = first.addr().string();
    EXPECT_FALSE(net::listen("tcp", where)) << "only those who share";
    const net::listener second = net::listen("tcp", where, {.reuse_port = true}).value();
    // The system spreads by a hash of the ports: both get some of a hundred, or one gets all.
    std::vector<net::conn> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(net::dial("tcp", where).value());
    int accepted = 0;
    for (const net::listener& at : {first, second}) {
      (void)at.set_deadline(weft::now() + 100ms);
      while (accepted < 100 && at.accept()) ++accepted;
    }
    EXPECT_EQ(accepted, 100);
  });
}

TEST(net_options, a_backlog_of_one_lets_few_wait) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0", {.backlog = 1}).value();
    std::vector<net::conn> waiting;
    bool refused = false;
    for (int i = 0; i < 8 && !refused; ++i) {
      auto got = net::dial("tcp", at.addr().string(), {.timeout = 30ms});
      refused = !got;
      if (got) waiting.push_back(*got);
    }
    EXPECT_TRUE(refused);
  });
}

}  // namespace
