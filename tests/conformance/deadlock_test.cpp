// SPDX-License-Identifier: Apache-2.0
// What is no deadlock, although no goroutine can run at the moment. A false report ends the
// program. What is one: tests/crash/deadlocks.cpp.
#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "conformance_testing.hpp"
#include "weft/net/net.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/semaphore.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

using namespace conformance;

namespace {

// Longer than the second after which sysmon looks for deadlocks by itself.
constexpr auto beyond_a_look = 1100ms;

/// Waits on `fd` in the network poller, as net/ does, until it can be read.
void wait_for_fd(int fd) {
  int error = 0;
  weft::rt::poll_desc* pd = weft::rt::poll_open(fd, error);
  ASSERT_NE(pd, nullptr) << error;
  (void)weft::rt::poll_reset(pd, weft::rt::poll_mode::read);
  uint64_t value = 0;
  while (::read(fd, &value, sizeof value) < 0)
    EXPECT_EQ(weft::rt::poll_wait(pd, weft::rt::poll_mode::read), weft::rt::poll_result::ready);
  weft::rt::poll_evict(pd);
  weft::rt::poll_close(pd);
}

/// Becomes readable by itself: neither a timer of Weft's nor a thread.
int clock_descriptor(std::chrono::nanoseconds after) {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  itimerspec when{};
  when.it_value.tv_sec = after.count() / 1'000'000'000;
  when.it_value.tv_nsec = after.count() % 1'000'000'000 + 1;
  EXPECT_EQ(::timerfd_settime(fd, 0, &when, nullptr), 0);
  return fd;
}

TEST(NoDeadlock, ATimerWillFire) {
  weft::run({.procs = 2}, [] { (void)weft::after(beyond_a_look).recv(); });
}

TEST(NoDeadlock, TheNetworkMayBringSomething) {
  weft::run({.procs = 2}, [] {
    const int fd = clock_descriptor(beyond_a_look);
    wait_for_fd(fd);
    ::close(fd);
  });
}

TEST(NoDeadlock, AForeignThreadMayCall) {
  // Parked in the network itself, so it is known; then it wakes everybody.
  weft::run({.procs = 2}, [] {
    auto c = weft::make_chan<int>();
    std::thread guest([c] {
      const int fd = clock_descriptor(beyond_a_look);
      wait_for_fd(fd);
      ::close(fd);
      c.send(1);
    });
    EXPECT_EQ(c.recv(), 1);
    guest.join();
  });
}

TEST(NoDeadlock, ABlockedCallReturns) {
  weft::run({.procs = 1}, [] {
    auto c = weft::make_chan<int>();
    weft::go([c] {
      const int fd = clock_descriptor(beyond_a_look);
      uint64_t value = 0;
      ::fcntl(fd, F_SETFL, 0);
      EXPECT_EQ(::read(fd, &value, sizeof value), 8);  // the thread sleeps; its P is taken
      ::close(fd);
      c.send(1);
    });
    EXPECT_EQ(c.recv(), 1);
  });
}

TEST(NoDeadlock, ASignalMayCome) {
  weft::run({.procs = 2}, [] {
    auto notified = weft::net::notify_context(weft::background(), {SIGALRM});
    ::alarm(2);
    (void)notified.ctx.done().recv();
  });
}

// --- near misses: the last that could run parks while somebody else wakes it --------------------

#if WEFT_TSAN
constexpr int rounds = 500;
#else
constexpr int rounds = 5000;
#endif

class NearDeadlock : public testing::TestWithParam<int> {};

TEST_P(NearDeadlock, WithAForeignThread) {
  weft::run({.procs = GetParam()}, [] {
    auto there = weft::make_chan<int>();
    auto back = weft::make_chan<int>();
    std::thread guest([=] {
      for (int i = 0; i < rounds; ++i) back.send(there.recv().value_or(0) + 1);
    });
    for (int i = 0; i < rounds; ++i) {
      there.send(i);
      EXPECT_EQ(back.recv(), i + 1);
    }
    guest.join();
  });
}

TEST_P(NearDeadlock, WithForeignThreadsThatComeAndGo) {
  weft::run({.procs = GetParam()}, [] {
    auto c = weft::make_chan<int>();
    for (int i = 0; i < rounds / 20; ++i) {
      std::thread first([=] { c.send(c.recv().value_or(0) + 1); });
      std::thread second([=] { weft::sleep_for(1us); });
      c.send(i);
      EXPECT_EQ(c.recv(), i + 1);
      first.join();
      second.join();
    }
  });
}

TEST_P(NearDeadlock, WithTimers) {
  weft::run({.procs = GetParam()}, [] {
    for (int i = 0; i < rounds; ++i) {
      weft::timer t(std::chrono::nanoseconds(i * 7));
      (void)t.c().recv();
    }
  });
}

TEST_P(NearDeadlock, WithTheNetwork) {
  weft::run({.procs = GetParam()}, [] {
    auto c = weft::make_chan<int>();
    weft::go([=] {
      for (int i = 0; i < rounds / 10; ++i) {
        const int fd = clock_descriptor(std::chrono::nanoseconds(i * 97));
        wait_for_fd(fd);
        ::close(fd);
        c.send(i);
      }
    });
    for (int i = 0; i < rounds / 10; ++i) EXPECT_EQ(c.recv(), i);
  });
}

TEST_P(NearDeadlock, WithAForeignThreadInTheNetwork) {
  weft::run({.procs = GetParam()}, [] {
    auto c = weft::make_chan<int>();
    std::thread guest([=] {
      for (int i = 0; i < rounds / 10; ++i) {
        const int fd = clock_descriptor(std::chrono::nanoseconds(i * 97));
        wait_for_fd(fd);
        ::close(fd);
        c.send(i);
      }
    });
    for (int i = 0; i < rounds / 10; ++i) EXPECT_EQ(c.recv(), i);
    guest.join();
  });
}

TEST_P(NearDeadlock, WithBlockedCalls) {
  weft::run({.procs = GetParam()}, [] {
    auto c = weft::make_chan<int>();
    weft::go([=] {
      for (int i = 0; i < rounds / 50; ++i) {
        weft::blocking([] { ::usleep(30); });  // a system call that takes a moment
        c.send(i);
      }
    });
    for (int i = 0; i < rounds / 50; ++i) EXPECT_EQ(c.recv(), i);
  });
}

INSTANTIATE_TEST_SUITE_P(Procs, NearDeadlock, testing::Values(1, 2, 4));

}  // namespace
