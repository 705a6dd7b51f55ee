// SPDX-License-Identifier: Apache-2.0
// Connections on the loopback: what Go programs expect of them.
#include "weft/net/net.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::conn;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

struct tcp_pair {
  net::listener at;
  conn client;
  conn server;
  explicit tcp_pair(const char* network = "tcp", const char* where = "127.0.0.1:0") {
    at = net::listen(network, where).value();
    auto accepting = spawn([this] { return at.accept(); });
    client = net::dial(network, at.addr().string()).value();
    server = accepting.join().value();
  }
};

std::string read_text(const conn& c, size_t bytes) {
  std::string text(bytes, '\0');
  const auto got = c.read_full(std::span<char>(text));
  EXPECT_TRUE(got) << got.error().message();
  text.resize(got.value_or(0));
  return text;
}

std::string message_of(const auto& failed) {
  return failed ? "(no error)" : failed.error().message();
}

TEST(net, echo) {
  weft::run([] {
    const tcp_pair pair;
    auto echo = spawn([c = pair.server] {
      char buffer[64];
      for (;;) {
        const auto got = c.read(std::span<char>(buffer));
        if (!got || *got == 0) return;
        (void)c.write(std::string_view(buffer, *got));
      }
    });
    for (int i = 0; i < 100; ++i) {
      const std::string text = "message " + std::to_string(i);
      EXPECT_EQ(pair.client.write(text).value(), text.size());
      EXPECT_EQ(read_text(pair.client, text.size()), text);
    }
    EXPECT_TRUE(pair.client.close());
    echo.join();
  });
}

TEST(net, addresses) {
  weft::run([] {
    const tcp_pair pair;
    EXPECT_EQ(pair.client.local_addr(), pair.server.remote_addr());
    EXPECT_EQ(pair.client.remote_addr(), pair.server.local_addr());
    EXPECT_EQ(pair.at.addr().string(), pair.client.remote_addr().string());
    EXPECT_NE(pair.at.addr().port, 0);
  });
}

TEST(net, a_large_message_needs_many_turns) {
  weft::run([] {
    const tcp_pair pair;
    const std::string text(8 << 20, 'x');
    auto writing = spawn([&] { return pair.client.write(text).value_or(0); });
    EXPECT_EQ(read_text(pair.server, text.size()), text);
    EXPECT_EQ(writing.join(), text.size());
  });
}

TEST(net, writev_sends_all_parts_in_order) {
  weft::run([] {
    const tcp_pair pair;
    const std::string big(3 << 20, 'b');
    std::vector<std::string_view> parts = {"head", "", big, "tail"};
    for (int i = 0; i < 40; ++i) parts.push_back("+");
    auto writing = spawn([&] { return pair.client.writev(parts).value_or(0); });
    const size_t size = 4 + big.size() + 4 + 40;
    EXPECT_EQ(read_text(pair.server, size), "head" + big + "tail" + std::string(40, '+'));
    EXPECT_EQ(writing.join(), size);
  });
}

TEST(net, half_close_ends_one_direction) {
  weft::run([] {
    const tcp_pair pair;
    (void)pair.client.write("last words");
    EXPECT_TRUE(pair.client.close_write());
    EXPECT_EQ(read_text(pair.server, 10), "last words");
    char byte = 0;
    EXPECT_EQ(pair.server.read(std::span<char>(&byte, 1)).value(), 0U);
    EXPECT_EQ(pair.server.read(std::span<char>(&byte, 1)).value(), 0U) << "an end stays one";
    (void)pair.server.write("answer");
    EXPECT_EQ(read_text(pair.client, 6), "answer");
  });
}

/// Data and end may arrive as one event; the end must be found after a short read all the same.
TEST(net, an_end_right_behind_data_is_found) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
    for (int i = 0; i < 200; ++i) {
      const conn client = net::dial("tcp", at.addr().string()).value();
      (void)client.write("bye");
      (void)client.close();
      const conn server = at.accept().value();
      char buffer[64];
      size_t total = 0;
      for (;;) {
        const size_t got = server.read(std::span<char>(buffer)).value();
        if (got == 0) break;
        total += got;
      }
      EXPECT_EQ(total, 3U);
    }
  });
}

TEST(net, read_full_tells_an_end_in_the_middle) {
  weft::run([] {
    const tcp_pair pair;
    (void)pair.client.write("abc");
    (void)pair.client.close();
    char buffer[8];
    const auto got = pair.server.read_full(std::span<char>(buffer));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(net::unexpected_eof));
    EXPECT_EQ(pair.server.read_full(std::span<char>(buffer)).value(), 0U);
  });
}

TEST(net, close_wakes_reader_and_accepter) {
  weft::run([] {
    const tcp_pair pair;
    const uint32_t before = rt::netpoll_waiters();
    auto reading = spawn([&] {
      char byte = 0;
      return pair.client.read(std::span<char>(&byte, 1));
    });
    auto accepting = spawn([&] { return pair.at.accept(); });
    until([&] { return rt::netpoll_waiters() == before + 2; });
    EXPECT_TRUE(pair.client.close());
    EXPECT_TRUE(pair.at.close());
    const auto read = reading.join();
    ASSERT_FALSE(read);
    EXPECT_TRUE(read.error().is(net::closed));
    const auto accepted = accepting.join();
    ASSERT_FALSE(accepted);
    EXPECT_TRUE(accepted.error().is(net::closed));
    EXPECT_EQ(message_of(accepted),
              "accept tcp " + pair.at.addr().string() + ": use of closed network connection");
    EXPECT_FALSE(pair.client.close()) << "a second close fails";
    EXPECT_TRUE(pair.client.write("x").error().is(net::closed));
  });
}

TEST(net, many_readers_take_turns_and_close_ends_them_all) {
  weft::run([] {
    const tcp_pair pair;
    std::vector<task<result<size_t>>> readers;
    std::atomic<int> started{0};
    for (int i = 0; i < 20; ++i) {
      readers.push_back(spawn([&] {
        char byte = 0;
        ++started;
        return pair.server.read(std::span<char>(&byte, 1));
      }));
    }
    until([&] { return started == 20; });
    (void)pair.client.write("12345");
    const auto done = [&] {
      int count = 0;
      for (auto& reader : readers) count += reader.done() ? 1 : 0;
      return count;
    };
    until([&] { return done() == 5; });
    (void)pair.server.close();
    int bytes = 0;
    int closed = 0;
    for (auto& reader : readers) {
      const auto got = reader.join();
      if (got)
        ++bytes;
      else if (got.error().is(net::closed))
        ++closed;
    }
    EXPECT_EQ(bytes, 5);
    EXPECT_EQ(closed, 15);
  });
}

TEST(net, reset_by_peer) {
  weft::run([] {
    const tcp_pair pair;
    const linger at_once{1, 0};
    ::setsockopt(pair.client.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const std::string from = pair.server.local_addr().string();
    const std::string to = pair.server.remote_addr().string();
    (void)pair.client.close();
    char byte = 0;
    const auto got = pair.server.read(std::span<char>(&byte, 1));
    EXPECT_EQ(message_of(got), "read tcp " + from + "->" + to + ": connection reset by peer");
    EXPECT_TRUE(got.error().is(std::make_error_code(std::errc::connection_reset)));
    const auto* op = got.error().as<net::op_error>();
    ASSERT_NE(op, nullptr);
    EXPECT_EQ(op->op, "read");
    EXPECT_EQ(op->source, from);
    EXPECT_EQ(op->address, to);
  });
}

TEST(net, deadlines) {
  weft::run([] {
    const tcp_pair pair;
    char byte = 0;
    (void)pair.server.set_read_deadline(weft::now() - 1s);
    auto got = pair.server.read(std::span<char>(&byte, 1));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().timeout());
    EXPECT_TRUE(got.error().is(net::err_timeout));
    EXPECT_TRUE(message_of(got).ends_with(": i/o timeout")) << message_of(got);
    EXPECT_TRUE(pair.server.write("x")) << "the other direction goes on";

    const auto begin = weft::now();
    (void)pair.server.set_deadline(begin + 5ms);
    got = pair.server.read(std::span<char>(&byte, 1));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().timeout());
    EXPECT_GE(weft::now() - begin, 5ms);

    (void)pair.server.set_deadline({});
    (void)pair.client.write("y");
    EXPECT_EQ(pair.server.read(std::span<char>(&byte, 1)).value(), 1U);
  });
}

TEST(net, write_deadline_ends_a_stuck_writer) {
  weft::run([] {
    const tcp_pair pair;
    (void)pair.client.set_write_deadline(weft::now() + 20ms);
    const std::string text(64 << 20, 'x');
    const auto put = pair.client.write(text);
    ASSERT_FALSE(put);
    EXPECT_TRUE(put.error().timeout());
  });
}

TEST(net, wait_readable_holds_nothing_and_returns_with_data) {
  weft::run([] {
    const tcp_pair pair;
    const uint32_t before = rt::netpoll_waiters();
    auto waiting = spawn([&] { return pair.server.wait_readable().has_value(); });
    until([&] { return rt::netpoll_waiters() == before + 1 || waiting.done(); });
    (void)pair.client.write("z");
    EXPECT_TRUE(waiting.join());
    EXPECT_EQ(read_text(pair.server, 1), "z");
  });
}

TEST(net, wait_hangup_sees_the_end_past_unread_data) {
  weft::run([] {
    const tcp_pair pair;
    auto watching = spawn([&] { return pair.server.wait_hangup(); });
    (void)pair.client.write("unread");
    (void)pair.client.close();
    EXPECT_TRUE(watching.join());
    EXPECT_EQ(read_text(pair.server, 6), "unread");
  });
}

TEST(net, wait_hangup_of_a_dialed_connection) {
  weft::run([] {
    const tcp_pair pair;
    auto watching = spawn([&] { return pair.client.wait_hangup(); });
    for (int i = 0; i < 100; ++i) weft::yield();
    EXPECT_FALSE(watching.done()) << "a connection that is new is not gone";
    (void)pair.server.close();
    EXPECT_TRUE(watching.join());
  });
}

TEST(net, wait_hangup_ends_by_deadline) {
  weft::run([] {
    const tcp_pair pair;
    const uint32_t before = rt::netpoll_waiters();
    auto watching = spawn([&] { return pair.server.wait_hangup(); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    (void)pair.server.set_read_deadline(net::time_point(1ns));
    EXPECT_FALSE(watching.join());
    (void)pair.server.set_read_deadline({});
    (void)pair.client.write("q");
    EXPECT_EQ(read_text(pair.server, 1), "q");
  });
}

TEST(net, unix_sockets) {
  weft::run([] {
    const std::string path = "/tmp/weft-net-test-" + std::to_string(::getpid()) + ".sock";
    {
      const tcp_pair pair("unix", path.c_str());
      (void)pair.client.write("over unix");
      EXPECT_EQ(read_text(pair.server, 9), "over unix");
      EXPECT_EQ(pair.client.remote_addr().string(), path);
      EXPECT_EQ(pair.server.remote_addr().string(), "@");
      EXPECT_EQ(::access(path.c_str(), F_OK), 0);
      EXPECT_TRUE(pair.at.close());
      EXPECT_NE(::access(path.c_str(), F_OK), 0) << "close removes the path";
    }
    const std::string abstract = "@weft-net-test-" + std::to_string(::getpid());
    const tcp_pair pair("unix", abstract.c_str());
    EXPECT_EQ(pair.at.addr().string(), abstract);
    EXPECT_EQ(message_of(net::dial("unix", path)),
              "dial unix " + path + ": connect: no such file or directory");
    EXPECT_FALSE(net::listen("unix", std::string(200, 'x')));
  });
}

TEST(net, ipv6_and_wildcards) {
  weft::run([] {
    const auto six = net::listen("tcp6", "[::1]:0");
    if (!six) GTEST_SKIP() << six.error().message();
    EXPECT_TRUE(six->addr().string().starts_with("[::1]:")) << six->addr().string();
    EXPECT_TRUE(net::dial("tcp", six->addr().string()));
    const net::listener any = net::listen("tcp", ":0").value();
    EXPECT_TRUE(any.addr().string().starts_with("[::]:")) << any.addr().string();
    const std::string port = std::to_string(any.addr().port);
    EXPECT_TRUE(net::dial("tcp", "127.0.0.1:" + port));
    EXPECT_TRUE(net::dial("tcp", "[::1]:" + port));
    EXPECT_TRUE(net::dial("tcp", ":" + port));
    EXPECT_TRUE(net::dial("tcp", "localhost:" + port));
  });
}

TEST(net, dial_errors_say_what_and_where) {
  weft::run([] {
    std::string gone;
    {
      const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
      gone = at.addr().string();
    }
    EXPECT_EQ(message_of(net::dial("tcp", gone)),
              "dial tcp " + gone + ": connect: connection refused");
    EXPECT_EQ(message_of(net::dial("tcp", "127.0.0.1")),
              "dial tcp 127.0.0.1: address 127.0.0.1: missing port in address");
    EXPECT_EQ(message_of(net::dial("tcp", "::1:80")),
              "dial tcp ::1:80: address ::1:80: too many colons in address");
    EXPECT_EQ(message_of(net::dial("tcp", "127.0.0.1:99999")),
              "dial tcp 127.0.0.1:99999: address 99999: invalid port");
    EXPECT_EQ(message_of(net::dial("tcp4", "[::1]:80")),
              "dial tcp4 [::1]:80: address ::1: no suitable address found");
    EXPECT_TRUE(message_of(net::dial("ship", "x:1")).starts_with("dial ship x:1: unknown network"));
  });
}

TEST(net, listen_errors_say_what_and_where) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
    EXPECT_EQ(message_of(net::listen("tcp", at.addr().string())),
              "listen tcp " + at.addr().string() + ": bind: address already in use");
    EXPECT_EQ(message_of(net::listen("tcp", "192.0.2.1:0")),
              "listen tcp 192.0.2.1:0: bind: cannot assign requested address");
  });
}

/// A listener whose queue is full answers no SYN: a dial that hangs.
struct full_listener {
  net::listener at = net::listen("tcp", "127.0.0.1:0").value();
  std::vector<conn> queued;
  full_listener() {
    EXPECT_EQ(::listen(at.native_handle(), 0), 0);
    for (int i = 0; i < 8; ++i) {
      auto got = net::dial("tcp", at.addr().string(), {.timeout = 30ms});
      if (!got) return;
      queued.push_back(*got);
    }
  }
};

TEST(net, dial_timeout) {
  weft::run([] {
    const full_listener full;
    const auto got = net::dial("tcp", full.at.addr().string(), {.timeout = 10ms});
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().timeout());
    EXPECT_EQ(message_of(got), "dial tcp " + full.at.addr().string() + ": i/o timeout");
  });
}

TEST(net, dial_with_contexts) {
  weft::run([] {
    const full_listener full;
    {
      auto [ctx, cancel] = with_timeout(background(), 10ms);
      const auto got = net::dial(ctx, "tcp", full.at.addr().string());
      ASSERT_FALSE(got);
      EXPECT_TRUE(got.error().timeout());
    }
    {
      auto [ctx, cancel] = with_cancel(background());
      const uint32_t before = rt::netpoll_waiters();
      auto dialing =
          spawn([&ctx, &full] { return net::dial(ctx, "tcp", full.at.addr().string()); });
      until([&] { return rt::netpoll_waiters() == before + 1; });
      cancel();
      const auto got = dialing.join();
      ASSERT_FALSE(got);
      EXPECT_TRUE(got.error().is(canceled)) << message_of(got);
      EXPECT_FALSE(net::dial(ctx, "tcp", full.at.addr().string())) << "ended before it began";
    }
    {
      auto [ctx, cancel] = with_timeout(background(), 1h);
      const tcp_pair pair;
      auto got = net::dial(ctx, "tcp", pair.at.addr().string());
      ASSERT_TRUE(got) << message_of(got);
      cancel();
      EXPECT_TRUE(got->write("x")) << "a context ends the dial, not the connection";
    }
  });
}

TEST(net, out_of_descriptors_is_an_error_that_says_so) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
    const conn client = net::dial("tcp", at.addr().string()).value();
    const int next = ::dup(0);
    ::close(next);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(next);
    ::setrlimit(RLIMIT_NOFILE, &tight);
    const auto got = at.accept();
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(message_of(got),
              "accept tcp " + at.addr().string() + ": accept4: too many open files");
    EXPECT_TRUE(at.accept()) << "the client has waited";
  });
}

TEST(net, many_connections) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
    wait_group servers;
    auto accepting = spawn([&] {
      for (;;) {
        auto got = at.accept();
        if (!got) return;
        servers.go([c = *got] {
          char buffer[16];
          const auto n = c.read(std::span<char>(buffer));
          if (n && *n != 0) (void)c.write(std::string_view(buffer, *n));
        });
      }
    });
    wait_group clients;
    std::atomic<int> answered{0};
    for (int i = 0; i < 500; ++i) {
      clients.go([&, i] {
        const auto c = net::dial("tcp", at.addr().string());
        ASSERT_TRUE(c) << message_of(c);
        const std::string text = std::to_string(i);
        (void)c->write(text);
        if (read_text(*c, text.size()) == text) ++answered;
      });
    }
    clients.wait();
    (void)at.close();
    accepting.join();
    servers.wait();
    EXPECT_EQ(answered, 500);
  });
}

TEST(net, foreign_threads) {
  weft::run([] {
    const tcp_pair pair;
    std::atomic<bool> done{false};
    std::thread guest([&] {
      EXPECT_EQ(read_text(pair.server, 5), "hello");
      (void)pair.server.write("world");
      done = true;
    });
    (void)pair.client.write("hello");
    EXPECT_EQ(read_text(pair.client, 5), "world");
    until([&] { return done.load(); });
    guest.join();
  });
}

TEST(net, last_handle_gone_closes) {
  weft::run([] {
    tcp_pair pair;
    pair.client = {};
    char byte = 0;
    EXPECT_EQ(pair.server.read(std::span<char>(&byte, 1)).value(), 0U);
    EXPECT_FALSE(conn{}.write("x"));
    EXPECT_EQ(conn{}.native_handle(), -1);
  });
}

TEST(net, buffered_reader_and_writer) {
  weft::run([] {
    const tcp_pair pair;
    net::buffered_writer out(pair.client, 64);
    net::buffered_reader in(pair.server, 16);
    const std::string long_line(1000, 'l');
    auto writing = spawn([&] {
      for (const std::string_view text : {"one\n", "two\n"}) (void)out.write(text);
      (void)out.write(long_line + "\n");
      (void)out.write("tail");
      return out.flush().has_value() && pair.client.close_write().has_value();
    });
    EXPECT_EQ(in.read_until('\n').value(), "one\n");
    EXPECT_EQ(in.read_until('\n').value(), "two\n");
    EXPECT_EQ(in.read_until('\n').value(), long_line + "\n");
    char two[2];
    EXPECT_EQ(in.read_full(std::span<char>(two)).value(), 2U);
    EXPECT_TRUE(in.read_until('\n').error().is(net::unexpected_eof));
    EXPECT_TRUE(writing.join());
  });
}

TEST(net, split_and_join) {
  const auto good = net::split_host_port("[fe80::1%lo]:80");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->host, "fe80::1%lo");
  EXPECT_EQ(good->port, 80);
  EXPECT_EQ(net::split_host_port(":0")->host, "");
  EXPECT_EQ(net::join_host_port("::1", 8), "[::1]:8");
  EXPECT_EQ(net::join_host_port("host", 8), "host:8");
  EXPECT_EQ(message_of(net::split_host_port("[::1]")), "address [::1]: missing port in address");
  EXPECT_EQ(message_of(net::split_host_port("[::1:80")), "address [::1:80: missing ']' in address");
  EXPECT_EQ(message_of(net::split_host_port("a[:80")), "address a[:80: unexpected '[' in address");
  EXPECT_FALSE(net::split_host_port("a:b"));
  EXPECT_FALSE(net::split_host_port("a:-1"));
}

TEST(net, notify_context_ends_by_a_signal) {
  weft::run([] {
    auto [ctx, stop] = net::notify_context(background(), {SIGUSR1, SIGUSR2});
    auto [other, other_stop] = net::notify_context(background(), {SIGUSR2});
    EXPECT_FALSE(ctx.err());
    ::kill(::getpid(), SIGUSR1);
    (void)ctx.done().recv();
    EXPECT_TRUE(ctx.err().is(canceled));
    EXPECT_EQ(cause(ctx).message(), "SIGUSR1 signal received");
    EXPECT_FALSE(other.err());
    (*other_stop)();
    EXPECT_TRUE(other.err().is(canceled));
    (*stop)();
    struct sigaction now{};
    ::sigaction(SIGUSR1, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL) << "the former effect is back";
  });
}

}  // namespace
