// SPDX-License-Identifier: Apache-2.0
// Files sent without a copy.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "weft/net/internal/stream.hpp"
#include "weft/net/net.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;

/// A file in memory with the bytes 0, 1, 2, ... of a pattern.
class file {
 public:
  explicit file(size_t bytes) : fd(::memfd_create("weft-test", MFD_CLOEXEC)), text(bytes, '\0') {
    for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + i / 256);
    EXPECT_EQ(::pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(bytes));
  }
  ~file() { ::close(fd); }
  int fd;
  std::string text;
};

struct pair {
  net::listener at = net::listen("tcp", "127.0.0.1:0").value();
  net::conn client;
  net::conn server;
  pair() {
    auto accepting = spawn([this] { return at.accept(); });
    client = net::dial("tcp", at.addr().string()).value();
    server = accepting.join().value();
  }
};

TEST(net_send_file, arrives_whole_though_the_reader_is_slow) {
  weft::run([] {
    const pair ends;
    const file from(3'000'000);
    auto sending = spawn([&] { return ends.server.stream()->send_file(from.fd, 100, 2'999'900); });
    std::string got(2'999'900, '\0');
    for (size_t at = 0; at < got.size();) {
      const auto some = ends.client.read(
          std::span<char>(got.data() + at, std::min<size_t>(got.size() - at, 10000)));
      ASSERT_TRUE(some && *some > 0);
      at += *some;
    }
    EXPECT_EQ(sending.join().value(), 2'999'900);
    EXPECT_TRUE(got == from.text.substr(100));
  });
}

TEST(net_send_file, ends_where_the_file_ends) {
  weft::run([] {
    const pair ends;
    const file from(1000);
    EXPECT_EQ(ends.server.stream()->send_file(from.fd, 400, 5000).value(), 600);
    EXPECT_EQ(ends.server.stream()->send_file(from.fd, 1000, 1).value(), 0);
    std::string got(600, '\0');
    EXPECT_EQ(ends.client.read_full(std::span<char>(got)).value(), 600U);
    EXPECT_TRUE(got == from.text.substr(400));
  });
}

TEST(net_send_file, a_peer_that_has_gone_is_an_error_and_no_signal) {
  weft::run([] {
    const pair ends;
    const file from(1'000'000);
    ASSERT_TRUE(ends.client.close());
    result<int64_t> sent = 0;
    while (sent) sent = ends.server.stream()->send_file(from.fd, 0, from.text.size());
    EXPECT_NE(sent.error().message().find("write tcp"), std::string::npos);
    // Once more: certainly EPIPE now.
    EXPECT_FALSE(ends.server.stream()->send_file(from.fd, 0, 10));
  });
}

TEST(net_send_file, the_write_deadline_ends_it) {
  weft::run([] {
    const pair ends;
    const file from(1'000'000);
    ASSERT_TRUE(ends.server.set_write_deadline(weft::now() + 50ms));
    result<int64_t> sent = 0;
    while (sent) sent = ends.server.stream()->send_file(from.fd, 0, from.text.size());
    EXPECT_TRUE(sent.error().timeout());
  });
}

TEST(net_send_file, what_has_no_pages_is_left_to_others) {
  weft::run([] {
    const pair ends;
    int both[2];
    ASSERT_EQ(::pipe(both), 0);
    EXPECT_FALSE(ends.server.stream()->send_file(both[0], 0, 10));
    ::close(both[0]);
    ::close(both[1]);
    const auto [a, b] = net::pipe();
    const file from(10);
    EXPECT_EQ(a.stream()->send_file(from.fd, 0, 10).value(), -1);
  });
}

}  // namespace
