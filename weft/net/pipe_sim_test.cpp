// SPDX-License-Identifier: Apache-2.0
// Connections in memory under seeded schedules, with short reads and writes, waits that end too
// early, and virtual deadlines.
#include <gtest/gtest.h>

#include <string>

#include "weft/net/buffered.hpp"
#include "weft/net/pipe.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/sim_testing.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::conn;
using sim_testing::explore;

std::string text_of(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

void bytes_arrive_in_order(size_t buffer) {
  explore([=] {
    const net::pipe_ends ends = net::pipe(buffer);
    const conn a = ends.first;
    const conn b = ends.second;
    const std::string text = text_of(100);
    wait_group all;
    all.go([&, a] {
      EXPECT_EQ(*a.write(std::string_view(text).substr(0, 30)), 30u);
      const std::string_view parts[] = {std::string_view(text).substr(30, 1),
                                        std::string_view(text).substr(31)};
      EXPECT_EQ(*a.writev(parts), 70u);
      EXPECT_TRUE(a.close());
    });
    all.go([&, b] {
      std::string got;
      char room[16];
      for (;;) {
        EXPECT_TRUE(b.wait_readable());
        const auto n = b.read(std::span<char>(room));
        if (!n || *n == 0) break;
        got.append(room, *n);
      }
      EXPECT_EQ(got, text);
    });
    all.wait();
  });
}
TEST(PipeSim, BytesArriveInOrderBuffered) { bytes_arrive_in_order(16); }
TEST(PipeSim, BytesArriveInOrderUnbuffered) { bytes_arrive_in_order(0); }

TEST(PipeSim, DeadlinesAreExactInVirtualTime) {
  explore([] {
    const net::pipe_ends ends = net::pipe(4);
    const conn a = ends.first;
    const conn b = ends.second;
    const auto start = now();
    wait_group all;
    all.go([=] {
      EXPECT_TRUE(a.set_read_deadline(start + 3ms));
      char room[1];
      EXPECT_TRUE(a.read(std::span<char>(room)).error().timeout());
      EXPECT_EQ(now() - start, 3ms);
    });
    all.go([=] {
      EXPECT_TRUE(a.set_write_deadline(start + 5ms));
      EXPECT_TRUE(a.write(std::string_view("more than four")).error().timeout());
      EXPECT_EQ(now() - start, 5ms);
    });
    all.wait();
  });
}

TEST(PipeSim, CloseRacesWithEverything) {
  for (const size_t buffer : {size_t{0}, size_t{3}})
    explore([=] {
      const net::pipe_ends ends = net::pipe(buffer);
      const conn a = ends.first;
      const conn b = ends.second;
      wait_group all;
      size_t sent = 0;
      size_t received = 0;
      all.go([&, a] {
        while (const auto put = a.write(std::string_view("abcde"))) sent += *put;
      });
      all.go([&, b] {
        char room[4];
        for (;;) {
          const auto got = b.read(std::span<char>(room));
          if (!got || *got == 0) break;
          received += *got;
        }
      });
      all.go([a] { (void)a.wait_hangup(); });
      all.go([a, b] {
        sleep_for(0s);
        (void)(sim::pick(2) == 0 ? a : b).close();
        for (int i = 0; i < 3; ++i) yield();
        (void)a.close();
        (void)b.close();
      });
      all.wait();
      EXPECT_LE(received, sent + 5);
    });
}

TEST(PipeSim, AServerOverAListenerInMemory) {
  explore([] {
    const net::listener at = net::listen_in_memory(16);
    wait_group all;
    all.go([&] {
      wait_group handlers;
      for (;;) {
        const auto c = at.accept();
        if (!c) break;
        handlers.go([c = *c] {
          net::buffered_reader in(c, 16);
          while (const auto line = in.read_until('\n')) EXPECT_TRUE(c.write(std::string(*line)));
        });
      }
      handlers.wait();
    });
    wait_group clients;
    for (int i = 0; i < 3; ++i)
      clients.go([&, i] {
        const conn c = net::dial_in_memory(at).value();
        net::buffered_reader in(c, 16);
        for (int k = 0; k < 2; ++k) {
          const std::string line = std::to_string(i) + " says " + std::to_string(k) + "\n";
          EXPECT_TRUE(c.write(line));
          EXPECT_EQ(in.read_until('\n').value(), line);
        }
      });
    clients.wait();
    EXPECT_TRUE(at.close());
    all.wait();
  });
}

TEST(PipeSim, ListenersCloseUnderTheirDialers) {
  explore([] {
    const net::listener at = net::listen_in_memory(16);
    wait_group all;
    for (int i = 0; i < 2; ++i)
      all.go([&] {
        const auto c = net::dial_in_memory(at);
        if (!c) return;
        char room[1];
        (void)c->read(std::span<char>(room));  // ends: accepted and dropped, or drained
      });
    all.go([&] { (void)at.accept(); });
    all.go([&] { EXPECT_TRUE(at.close()); });
    all.wait();
  });
}

/// Broken on purpose: takes one read for one message.
bool reads_a_message(const sim::faults& faults) {
  try {
    sim::explore({.seeds = 100, .faults = faults}, [] {
      const net::pipe_ends ends = net::pipe();
      const conn a = ends.first;
      const conn b = ends.second;
      auto writer = spawn([a] { (void)a.write(std::string_view("a message")); });
      char room[16];
      const auto got = b.read(std::span<char>(room));
      writer.join();
      if (std::string(room, *got) != "a message") throw std::runtime_error("torn");
    });
    return true;
  } catch (const sim::failure&) {
    return false;
  }
}
TEST(PipeSim, ShortReadsAndWritesAreFaultsOfTheSeed) {
  const sim_testing::expect_abandoned leaks;
  EXPECT_TRUE(reads_a_message({}));
  EXPECT_FALSE(reads_a_message({.short_io = true}));
}

TEST(PipeSim, SpuriousReadinessIsAFaultOfTheSeed) {
  const auto early = [](const sim::faults& faults) {
    int count = 0;
    for (uint64_t seed = 0; seed < 100; ++seed)
      sim::run({.seed = seed, .faults = faults}, [&] {
        const net::pipe_ends ends = net::pipe();
        const conn a = ends.first;
        const conn b = ends.second;
        auto writer = spawn([a] {
          sleep_for(1ms);
          (void)a.write(std::string_view("x"));
        });
        const auto start = now();
        EXPECT_TRUE(b.wait_readable());
        if (now() == start) ++count;
        writer.join();
      });
    return count;
  };
  EXPECT_EQ(early({}), 0);
  EXPECT_GT(early({.spurious_readiness = true}), 20);
}

}  // namespace
