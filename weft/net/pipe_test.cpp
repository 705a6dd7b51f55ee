// SPDX-License-Identifier: Apache-2.0
// Connections in memory keep what conn promises, on real threads.
#include "weft/net/pipe.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <thread>

#include "weft/net/buffered.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::conn;

std::string message_of(const auto& failed) {
  return failed ? "(no error)" : failed.error().message();
}

std::string read_all(const conn& c) {
  std::string all;
  char part[100];
  for (;;) {
    const auto got = c.read(std::span<char>(part));
    if (!got || *got == 0) return all;
    all.append(part, *got);
  }
}

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

TEST(pipe, carries_bytes_both_ways_with_and_without_a_buffer) {
  weft::run({.procs = 2}, [] {
    for (const size_t buffer : {size_t{0}, size_t{7}, net::pipe_bytes}) {
      const net::pipe_ends ends = net::pipe(buffer);
      const conn a = ends.first;
      const conn b = ends.second;
      const std::string text = pattern(10'000);
      auto writer = spawn([&, a] {
        EXPECT_EQ(*a.write(text), text.size());
        EXPECT_TRUE(a.close_write());
        EXPECT_EQ(read_all(a), "answer");
      });
      EXPECT_EQ(read_all(b), text);
      const std::string_view parts[] = {"ans", "", "wer"};
      EXPECT_EQ(*b.writev(parts), 6u);
      EXPECT_TRUE(b.close());
      writer.join();
    }
  });
}

TEST(pipe, without_a_buffer_a_write_waits_for_its_reader) {
  weft::run([] {
    const net::pipe_ends ends = net::pipe(0);
    const conn a = ends.first;
    const conn b = ends.second;
    bool written = false;
    auto writer = spawn([&, a] {
      (void)a.write(std::string_view("ab"));
      written = true;
    });
    char one[1];
    EXPECT_EQ(*b.read(std::span<char>(one)), 1u);
    for (int i = 0; i < 10; ++i) yield();
    EXPECT_FALSE(written);
    EXPECT_EQ(*b.read(std::span<char>(one)), 1u);
    writer.join();
    EXPECT_TRUE(written);
  });
}

TEST(pipe, ends_say_what_happened) {
  weft::run([] {
    char room[8];
    const net::pipe_ends ends = net::pipe();
    const conn a = ends.first;
    const conn b = ends.second;
    EXPECT_EQ(*a.write(std::string_view("last")), 4u);
    EXPECT_TRUE(a.close());
    EXPECT_EQ(message_of(a.close()), "close pipe: use of closed network connection");
    EXPECT_EQ(message_of(a.read(std::span<char>(room))),
              "read pipe: use of closed network connection");
    EXPECT_EQ(*b.read(std::span<char>(room)), 4u);
    EXPECT_EQ(*b.read(std::span<char>(room)), 0u);
    const auto put = b.write(std::string_view("x"));
    EXPECT_EQ(message_of(put), "write pipe: broken pipe");
    EXPECT_EQ(put.error().code().value(), EPIPE);
    EXPECT_TRUE(b.wait_hangup());
    EXPECT_EQ(b.local_addr(), net::address{});
    EXPECT_EQ(b.native_handle(), -1);
    EXPECT_TRUE(b.set_no_delay(true));
  });
}

TEST(pipe, the_last_handle_gone_closes) {
  weft::run([] {
    conn left;
    {
      const net::pipe_ends ends = net::pipe();
      const conn a = ends.first;
      const conn b = ends.second;
      left = b;
    }
    char room[1];
    EXPECT_EQ(*left.read(std::span<char>(room)), 0u);
  });
}

TEST(pipe, close_wakes_whoever_waits) {
  weft::run({.procs = 2}, [] {
    for (int round = 0; round < 200; ++round) {
      const net::pipe_ends ends = net::pipe(4);
      const conn a = ends.first;
      const conn b = ends.second;
      auto reader = spawn([a] {
        char room[1];
        return message_of(a.read(std::span<char>(room)));
      });
      auto next_reader = spawn([a] {
        char room[1];
        return message_of(a.read(std::span<char>(room)));
      });
      auto writer = spawn([a] { return message_of(a.write(std::string_view("too much"))); });
      auto hangup = spawn([b] { return b.wait_hangup(); });
      if (round % 2 == 0) yield();
      EXPECT_TRUE(a.close());
      EXPECT_EQ(reader.join(), "read pipe: use of closed network connection");
      EXPECT_EQ(next_reader.join(), "read pipe: use of closed network connection");
      EXPECT_EQ(writer.join(), "write pipe: use of closed network connection");
      EXPECT_TRUE(hangup.join());
    }
  });
}

TEST(pipe, a_deadline_ends_waits_and_can_be_taken_away) {
  weft::run([] {
    const net::pipe_ends ends = net::pipe(1);
    const conn a = ends.first;
    const conn b = ends.second;
    char room[1];
    EXPECT_TRUE(a.set_read_deadline(weft::now() + 2ms));
    auto got = a.read(std::span<char>(room));
    EXPECT_EQ(message_of(got), "read pipe: i/o timeout");
    EXPECT_TRUE(got.error().timeout());
    EXPECT_TRUE(a.set_deadline({}));
    auto reader = spawn([a] {
      char one[1];
      return message_of(a.read(std::span<char>(one)));
    });
    yield();
    EXPECT_TRUE(a.set_read_deadline(weft::now() - 1s));  // at once, also for those who wait
    EXPECT_EQ(reader.join(), "read pipe: i/o timeout");
    EXPECT_TRUE(b.set_write_deadline(weft::now() + 2ms));
    EXPECT_EQ(message_of(b.write(std::string_view("ab"))), "write pipe: i/o timeout");
    EXPECT_TRUE(a.set_deadline({}));
    EXPECT_EQ(*a.read(std::span<char>(room)), 1u);
  });
}

TEST(pipe, foreign_threads_block) {
  weft::run({.procs = 2}, [] {
    const net::pipe_ends ends = net::pipe(8);
    const conn a = ends.first;
    const conn b = ends.second;
    std::thread foreign([b] {
      EXPECT_EQ(read_all(b), pattern(1000));
      EXPECT_EQ(*b.write(std::string_view("done")), 4u);
      (void)b.close();
    });
    EXPECT_EQ(*a.write(pattern(1000)), 1000u);
    EXPECT_TRUE(a.close_write());
    EXPECT_EQ(read_all(a), "done");
    weft::blocking([&] { foreign.join(); });
  });
}

TEST(memory_listener, gives_each_dialer_a_connection) {
  weft::run({.procs = 2}, [] {
    const net::listener at = net::listen_in_memory();
    auto server = spawn([&] {
      for (int i = 0; i < 3; ++i) {
        const conn c = at.accept().value();
        go([c] {
          net::buffered_reader in(c);
          (void)c.write("you said " + std::string(in.read_until('\n').value()));
        });
      }
    });
    for (int i = 0; i < 3; ++i) {
      const conn c = net::dial_in_memory(at).value();
      const std::string line = "hello " + std::to_string(i) + "\n";
      EXPECT_TRUE(c.write(line));
      EXPECT_EQ(read_all(c), "you said " + line);
    }
    server.join();
  });
}

TEST(memory_listener, ends_by_close_and_deadline) {
  weft::run([] {
    const net::listener at = net::listen_in_memory();
    EXPECT_TRUE(at.set_deadline(weft::now() + 2ms));
    EXPECT_EQ(message_of(at.accept()), "accept pipe: i/o timeout");
    EXPECT_TRUE(at.set_deadline({}));
    auto waits = spawn([&] { return message_of(at.accept()); });
    yield();
    EXPECT_TRUE(at.close());
    EXPECT_EQ(waits.join(), "accept pipe: use of closed network connection");
    EXPECT_EQ(message_of(at.close()), "close pipe: use of closed network connection");
    EXPECT_EQ(message_of(net::dial_in_memory(at)), "dial pipe: connection refused");
    EXPECT_EQ(message_of(net::dial_in_memory({})), "dial pipe: connection refused");
  });
}

}  // namespace
