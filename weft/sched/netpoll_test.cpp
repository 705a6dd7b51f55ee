// SPDX-License-Identifier: Apache-2.0
// Readiness, deadlines and eviction, on socket pairs.
#include "weft/sched/internal/netpoll.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

namespace {

using namespace weft;
using namespace weft::rt;

/// A connected pair, our end registered.
struct watched_pair {
  int ours = -1;
  int theirs = -1;
  poll_desc* pd = nullptr;
  watched_pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours = ends[0];
    theirs = ends[1];
    int number = 0;
    pd = poll_open(ours, number);
    EXPECT_NE(pd, nullptr) << number;
  }
  ~watched_pair() {
    poll_evict(pd);
    poll_close(pd);
    ::close(ours);
    if (theirs >= 0) ::close(theirs);
  }
  watched_pair(const watched_pair&) = delete;
  watched_pair& operator=(const watched_pair&) = delete;
  void send_byte() const { EXPECT_EQ(::write(theirs, "x", 1), 1); }
  /// Reads with waiting, as net/ does; bytes or -1 for a verdict.
  [[nodiscard]] long read_byte(poll_result& verdict) const {
    verdict = poll_reset(pd, poll_mode::read);
    while (verdict == poll_result::ready) {
      char byte = 0;
      const long got = ::read(ours, &byte, 1);
      if (got >= 0 || errno != EAGAIN) return got;
      verdict = poll_wait(pd, poll_mode::read);
    }
    return -1;
  }
};

/// Lets others run until the condition holds.
template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

/// A goroutine has parked on `pd` (there may be waiters of the runtime besides).
void until_waiting(uint32_t more_than) {
  until([&] { return netpoll_waiters() > more_than; });
}

TEST(netpoll, readiness_wakes_the_reader) {
  weft::run([] {
    const watched_pair pair;
    const uint32_t before = netpoll_waiters();
    auto reader = spawn([&] {
      poll_result verdict{};
      return pair.read_byte(verdict);
    });
    until_waiting(before);
    pair.send_byte();
    EXPECT_EQ(reader.join(), 1);
    EXPECT_EQ(netpoll_waiters(), before);
  });
}

TEST(netpoll, a_new_descriptor_is_writable) {
  weft::run([] {
    const watched_pair pair;
    EXPECT_EQ(poll_wait(pair.pd, poll_mode::write), poll_result::ready);
  });
}

TEST(netpoll, readiness_before_the_wait_is_kept) {
  weft::run([] {
    const watched_pair pair;
    pair.send_byte();
    EXPECT_EQ(poll_wait(pair.pd, poll_mode::read), poll_result::ready);
  });
}

TEST(netpoll, hangup_is_remembered) {
  weft::run([] {
    watched_pair pair;
    EXPECT_FALSE(poll_hangup(pair.pd));
    ::close(pair.theirs);
    pair.theirs = -1;
    EXPECT_EQ(poll_wait(pair.pd, poll_mode::read), poll_result::ready);
    EXPECT_TRUE(poll_hangup(pair.pd));
  });
}

TEST(netpoll, deadline_in_the_past_is_immediate) {
  weft::run([] {
    const watched_pair pair;
    poll_set_deadline(pair.pd, 1, true, false);
    EXPECT_EQ(poll_wait(pair.pd, poll_mode::read), poll_result::timeout);
    EXPECT_EQ(poll_reset(pair.pd, poll_mode::read), poll_result::timeout);
    EXPECT_EQ(poll_reset(pair.pd, poll_mode::write), poll_result::ready);
    poll_set_deadline(pair.pd, 0, true, false);
    EXPECT_EQ(poll_reset(pair.pd, poll_mode::read), poll_result::ready);
  });
}

TEST(netpoll, deadline_wakes_the_waiter) {
  weft::run([] {
    const watched_pair pair;
    const int64_t begin = now_ns();
    poll_set_deadline(pair.pd, begin + 5'000'000, true, true);
    poll_result verdict{};
    EXPECT_EQ(pair.read_byte(verdict), -1);
    EXPECT_EQ(verdict, poll_result::timeout);
    EXPECT_GE(now_ns() - begin, 5'000'000);
  });
}

TEST(netpoll, past_deadline_wakes_one_who_waits) {
  weft::run([] {
    const watched_pair pair;
    const uint32_t before = netpoll_waiters();
    auto reader = spawn([&] { return poll_wait(pair.pd, poll_mode::read); });
    until_waiting(before);
    poll_set_deadline(pair.pd, 1, true, true);
    EXPECT_EQ(reader.join(), poll_result::timeout);
  });
}

TEST(netpoll, a_deadline_put_off_does_not_fire) {
  weft::run([] {
    const watched_pair pair;
    poll_set_deadline(pair.pd, now_ns() + 2'000'000, true, false);
    poll_set_deadline(pair.pd, now_ns() + 60'000'000'000, true, false);
    const uint32_t before = netpoll_waiters();
    auto reader = spawn([&] {
      poll_result verdict{};
      return pair.read_byte(verdict);
    });
    until_waiting(before);
    weft::sleep_for(std::chrono::milliseconds(4));  // past the first one
    EXPECT_EQ(netpoll_waiters(), before + 1);
    pair.send_byte();
    EXPECT_EQ(reader.join(), 1);
  });
}

TEST(netpoll, evict_wakes_both_directions) {
  weft::run([] {
    const watched_pair pair;
    // Fill the socket, so that a writer waits.
    char block[4096] = {};
    while (::write(pair.ours, block, sizeof block) > 0) {
    }
    (void)poll_reset(pair.pd, poll_mode::write);
    (void)poll_reset(pair.pd, poll_mode::read);
    const uint32_t before = netpoll_waiters();
    auto reader = spawn([&] { return poll_wait(pair.pd, poll_mode::read); });
    auto writer = spawn([&] { return poll_wait(pair.pd, poll_mode::write); });
    // The registration's own event may still be on its way and satisfy the writer once.
    until([&] { return netpoll_waiters() >= before + 2 || writer.done(); });
    poll_evict(pair.pd);
    EXPECT_EQ(reader.join(), poll_result::closing);
    (void)writer.join();
    EXPECT_EQ(poll_wait(pair.pd, poll_mode::write), poll_result::closing);
  });
}

TEST(netpoll, reuse_of_a_state_forgets_everything) {
  weft::run([] {
    for (int i = 0; i < 100; ++i) {
      const watched_pair pair;
      EXPECT_EQ(poll_reset(pair.pd, poll_mode::read), poll_result::ready);
      EXPECT_FALSE(poll_hangup(pair.pd));
      poll_set_deadline(pair.pd, 1, true, true);
    }
  });
}

TEST(netpoll, foreign_threads_wait_too) {
  weft::run([] {
    const watched_pair pair;
    std::atomic<long> got{0};
    const uint32_t before = netpoll_waiters();
    std::thread guest([&] {
      poll_result verdict{};
      got = pair.read_byte(verdict);
    });
    until_waiting(before);
    pair.send_byte();
    until([&] { return got.load() != 0; });
    guest.join();
    EXPECT_EQ(got.load(), 1);
  });
}

TEST(netpoll, many_goroutines_are_woken_in_batches) {
  weft::run([] {
    // More than one batch of events.
    constexpr int count = 300;
    std::vector<std::unique_ptr<watched_pair>> pairs;
    for (int i = 0; i < count; ++i) pairs.push_back(std::make_unique<watched_pair>());
    const uint32_t before = netpoll_waiters();
    std::vector<task<long>> readers;
    for (auto& pair : pairs) {
      readers.push_back(spawn([&pair] {
        poll_result verdict{};
        return pair->read_byte(verdict);
      }));
    }
    until([&] { return netpoll_waiters() == before + count; });
    for (auto& pair : pairs) pair->send_byte();
    for (auto& reader : readers) EXPECT_EQ(reader.join(), 1);
    EXPECT_EQ(netpoll_waiters(), before);
  });
}

}  // namespace
