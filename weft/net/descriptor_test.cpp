// SPDX-License-Identifier: Apache-2.0
// Descriptors of others: pipes and sockets that are read with plain system calls.
#include "weft/net/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::descriptor;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

/// Two connected sockets that belong to "a library".
struct sockets {
  std::array<int, 2> ends{-1, -1};
  sockets() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
  ~sockets() {
    for (const int fd : ends)
      if (fd >= 0) ::close(fd);
  }
  sockets(const sockets&) = delete;
  sockets& operator=(const sockets&) = delete;
  void send(const char* text) const {
    const std::string bytes(text);
    EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void close(size_t which) { ::close(std::exchange(ends[which], -1)); }
};

TEST(descriptor, a_goroutine_parks_until_there_is_something_to_read) {
  weft::run([] {
    const sockets pair;
    const descriptor watched = descriptor::watch(pair.ends[0]).value();
    const uint32_t before = rt::netpoll_waiters();
    auto waiting = spawn([&] { return watched.wait_readable().has_value(); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    EXPECT_TRUE(watched.wait_writable()) << "the other direction is free";
    pair.send("x");
    EXPECT_TRUE(waiting.join());
  });
}

TEST(descriptor, what_is_left_unread_is_ready_again) {
  weft::run([] {
    const sockets pair;
    const descriptor watched = descriptor::watch(pair.ends[0]).value();
    pair.send("three");
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(watched.wait_readable());
      char byte = 0;
      EXPECT_EQ(::read(pair.ends[0], &byte, 1), 1);
    }
    EXPECT_TRUE(watched.wait_readable(net::time_point(1ns)).error().timeout());
    pair.send("more");
    EXPECT_TRUE(watched.wait_readable(weft::now() + 1h));
  });
}

TEST(descriptor, an_end_is_readable) {
  weft::run([] {
    sockets pair;
    const descriptor watched = descriptor::watch(pair.ends[0]).value();
    auto waiting = spawn([&] { return watched.wait_readable().has_value(); });
    pair.close(1);
    EXPECT_TRUE(waiting.join());
    char byte = 0;
    EXPECT_EQ(::read(pair.ends[0], &byte, 1), 0);
  });
}

TEST(descriptor, a_full_one_becomes_writable) {
  weft::run([] {
    const sockets pair;
    const descriptor watched = descriptor::watch(pair.ends[0]).value();
    std::array<char, 65536> bytes{};
    while (::write(pair.ends[0], bytes.data(), bytes.size()) > 0) {
    }
    const uint32_t before = rt::netpoll_waiters();
    auto waiting = spawn([&] { return watched.wait_writable().has_value(); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    while (::read(pair.ends[1], bytes.data(), bytes.size()) > 0) {
    }
    EXPECT_TRUE(waiting.join());
  });
}

TEST(descriptor, limits_and_contexts_end_one_wait_and_not_the_next) {
  weft::run([] {
    const sockets pair;
    const std::string name = "wait descriptor " + std::to_string(pair.ends[0]);
    const descriptor watched = descriptor::watch(pair.ends[0]).value();
    for (int i = 0; i < 50; ++i) {
      auto [ctx, cancel] = with_cancel(background());
      const uint32_t before = rt::netpoll_waiters();
      auto waiting = spawn([&, &until_then = ctx] { return watched.wait_readable(until_then); });
      until([&] { return rt::netpoll_waiters() == before + 1; });
      cancel();
      const auto got = waiting.join();
      ASSERT_FALSE(got);
      EXPECT_TRUE(got.error().is(canceled));
      EXPECT_EQ(got.error().message(), name + ": context canceled");
      EXPECT_FALSE(watched.wait_readable(ctx)) << "it has ended before the wait";
    }
    auto [ctx, cancel] = with_timeout(background(), 2ms);
    const auto late = watched.wait_readable(ctx);
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().is(net::err_timeout));
    EXPECT_EQ(watched.wait_readable(weft::now() + 1ms).error().message(), name + ": i/o timeout");
    pair.send("x");
    EXPECT_TRUE(watched.wait_readable(background()));
  });
}

TEST(descriptor, close_wakes_and_leaves_the_owner_alone) {
  weft::run([] {
    const sockets pair;
    const descriptor watched = descriptor::watch(pair.ends[0]).value();
    const uint32_t before = rt::netpoll_waiters();
    auto waiting = spawn([&] { return watched.wait_readable(background()); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    EXPECT_TRUE(watched.close());
    EXPECT_TRUE(waiting.join().error().is(net::closed));
    EXPECT_FALSE(watched.close());
    pair.send("y");
    char byte = 0;
    EXPECT_EQ(::read(pair.ends[0], &byte, 1), 1) << "still open";
    EXPECT_TRUE(descriptor{}.wait_readable().error().is(net::closed));
  });
}

TEST(descriptor, the_owner_may_close_first_and_the_number_be_used_again) {
  weft::run([] {
    sockets old;
    const int number = old.ends[0];
    const descriptor watched = descriptor::watch(number).value();
    old.close(0);
    const sockets fresh;
    ASSERT_TRUE(fresh.ends[0] == number || fresh.ends[1] == number);
    const descriptor second = descriptor::watch(fresh.ends[0]).value();
    fresh.send("for the second");
    EXPECT_TRUE(second.wait_readable());
    EXPECT_TRUE(watched.wait_readable(net::time_point(1ns)).error().timeout());
    EXPECT_TRUE(watched.close());
    EXPECT_TRUE(second.wait_readable());
  });
}

TEST(descriptor, what_cannot_be_waited_for_is_refused) {
  weft::run([] {
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const auto got = descriptor::watch(file);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().message(),
              "watch descriptor " + std::to_string(file) + ": epoll_ctl: operation not permitted");
    ::close(file);
    EXPECT_EQ(descriptor::watch(-1).error().message(),
              "watch descriptor -1: fcntl: bad file descriptor");
  });
}

}  // namespace
