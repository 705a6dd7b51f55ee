// SPDX-License-Identifier: Apache-2.0
// Lookups with resolvers that hang, fail and are late; and dialing names that have several
// addresses.
#include "weft/net/lookup.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "weft/net/internal/lookup.hpp"
#include "weft/net/net.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using net::address;
using addresses = std::vector<address>;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

std::string message_of(const auto& failed) {
  return failed ? "(no error)" : failed.error().message();
}

address v4(uint8_t last) {
  address made;
  made.kind = net::family::ipv4;
  made.ip = {127, 0, 0, last};
  return made;
}
address v6_loopback() {
  address made;
  made.kind = net::family::ipv6;
  made.ip[15] = 1;
  return made;
}

/// What the resolver of a test does and has seen.
struct resolver_state {
  std::atomic<int> calls{0};
  std::atomic<int> inside{0};
  std::atomic<int> most_inside{0};
  std::atomic<bool> open{true};
  addresses answer;
};
resolver_state* state = nullptr;

result<addresses> answer_when_open(const std::string& name) {
  ++state->calls;
  const int now = ++state->inside;
  int most = state->most_inside;
  while (now > most && !state->most_inside.compare_exchange_weak(most, now)) {
  }
  until([] { return state->open.load(); });
  --state->inside;
  if (name == "nowhere.test") return fail(error("lookup nowhere.test: no such host"));
  return state->answer;
}

/// Replaces the resolver for one test.
struct with_resolver {
  resolver_state s;
  explicit with_resolver(addresses answer = {v4(1)}) {
    s.answer = std::move(answer);
    state = &s;
    rt::set_lookup_function(answer_when_open);
  }
  ~with_resolver() {
    s.open = true;
    until([] { return rt::lookups_in_flight() == 0 && state->inside == 0; });
    rt::set_lookup_function(nullptr);
  }
  with_resolver(const with_resolver&) = delete;
  with_resolver& operator=(const with_resolver&) = delete;
};

TEST(lookup, localhost_and_numbers_by_the_system) {
  weft::run([] {
    const auto found = net::lookup_host(background(), "localhost");
    ASSERT_TRUE(found) << message_of(found);
    EXPECT_TRUE(std::ranges::find(*found, v4(1)) != found->end() ||
                std::ranges::find(*found, v6_loopback()) != found->end());
    EXPECT_EQ(net::lookup_host(background(), "127.0.0.1").value(), addresses{v4(1)});
    EXPECT_EQ(net::lookup_host(background(), "::1").value(), addresses{v6_loopback()});
    EXPECT_EQ(message_of(net::lookup_host(background(), "")), "lookup : no such host");
  });
}

TEST(lookup, failures_name_the_host) {
  weft::run([] {
    const with_resolver failing;
    EXPECT_EQ(message_of(net::lookup_host(background(), "nowhere.test")),
              "lookup nowhere.test: no such host");
    EXPECT_EQ(message_of(net::dial("tcp", "nowhere.test:80")),
              "dial tcp nowhere.test:80: lookup nowhere.test: no such host");
    EXPECT_FALSE(net::listen("tcp", "nowhere.test:80"));
  });
}

TEST(lookup, the_same_name_is_looked_up_once_at_a_time) {
  weft::run([] {
    with_resolver slow;
    slow.s.open = false;
    wait_group callers;
    std::atomic<int> started{0};
    std::atomic<int> right{0};
    for (int i = 0; i < 100; ++i)
      callers.go([&] {
        ++started;
        const auto got = net::lookup_host(background(), "once.test");
        if (got && *got == addresses{v4(1)}) ++right;
      });
    until([&] { return started == 100 && slow.s.inside == 1; });
    for (int i = 0; i < 1000; ++i) weft::yield();
    slow.s.open = true;
    callers.wait();
    EXPECT_EQ(right, 100);
    EXPECT_LE(slow.s.calls, 2) << "a caller that was late to ask may have begun another";
    EXPECT_TRUE(net::lookup_host(background(), "once.test"));
    EXPECT_LE(slow.s.calls, 3) << "nothing is remembered";
  });
}

TEST(lookup, a_hanging_resolver_holds_nobody_whose_context_ends) {
  weft::run([] {
    with_resolver hanging;
    hanging.s.open = false;
    auto [ctx, cancel] = with_cancel(background());
    auto asking = spawn([&, &given = ctx] { return net::lookup_host(given, "hangs.test"); });
    auto dialing = spawn([&, &given = ctx] { return net::dial(given, "tcp", "hangs.test:80"); });
    until([&] { return hanging.s.inside == 1; });
    cancel();
    const auto asked = asking.join();
    EXPECT_EQ(message_of(asked), "lookup hangs.test: context canceled");
    EXPECT_TRUE(asked.error().is(canceled));
    EXPECT_TRUE(dialing.join().error().is(canceled));
    EXPECT_EQ(message_of(net::dial("tcp", "hangs.test:80", {.timeout = 2ms})),
              "dial tcp hangs.test:80: lookup hangs.test: i/o timeout");
    auto [late, stop] = with_timeout(background(), 1ms);
    const auto timed_out = net::lookup_host(late, "hangs.test");
    ASSERT_FALSE(timed_out);
    EXPECT_TRUE(timed_out.error().is(net::err_timeout));
    EXPECT_EQ(hanging.s.calls, 1) << "impatient callers share the one that hangs";
    EXPECT_EQ(rt::lookups_in_flight(), 1U);
  });
}

TEST(lookup, an_answer_that_is_late_is_there_for_who_still_waits) {
  weft::run([] {
    with_resolver late;
    late.s.open = false;
    auto [ctx, cancel] = with_cancel(background());
    auto impatient = spawn([&, &given = ctx] { return net::lookup_host(given, "late.test"); });
    auto patient = spawn([&] { return net::lookup_host(background(), "late.test"); });
    until([&] { return late.s.inside >= 1; });
    cancel();
    EXPECT_FALSE(impatient.join());
    late.s.open = true;
    EXPECT_TRUE(patient.join());
  });
}

TEST(lookup, no_more_than_the_limit_at_a_time_and_who_gives_up_leaves_the_queue) {
  weft::run([] {
    with_resolver hanging;
    hanging.s.open = false;
    wait_group callers;
    const auto name = [](int i) { return "host" + std::to_string(i) + ".test"; };
    for (int i = 0; i < net::lookups_max; ++i)
      callers.go([&, i] { EXPECT_TRUE(net::lookup_host(background(), name(i))); });
    until([&] { return hanging.s.inside == net::lookups_max; });
    auto [ctx, cancel] = with_cancel(background());
    wait_group beyond;
    for (int i = 0; i < 20; ++i)
      beyond.go([&, &given = ctx, i] { EXPECT_FALSE(net::lookup_host(given, name(1000 + i))); });
    until([] { return rt::lookups_in_flight() == net::lookups_max + 20; });
    cancel();
    beyond.wait();
    EXPECT_EQ(rt::lookups_in_flight(), static_cast<size_t>(net::lookups_max));
    auto one_more = spawn([&] { return net::lookup_host(background(), "patient.test"); });
    hanging.s.open = true;
    EXPECT_TRUE(one_more.join());
    callers.wait();
    EXPECT_EQ(hanging.s.most_inside, net::lookups_max);
    EXPECT_EQ(hanging.s.calls, net::lookups_max + 1);
  });
}

TEST(lookup, others_run_on_one_processor_while_the_system_is_asked) {
  weft::run({.procs = 1}, [] {
    rt::set_lookup_function([](const std::string&) -> result<addresses> {
      static std::atomic<bool> seen{false};
      go([] { seen = true; });
      // As getaddrinfo does, this blocks the thread: only somebody else can end it.
      blocking([] {
        while (!seen) std::this_thread::yield();
      });
      return addresses{v4(1)};
    });
    EXPECT_TRUE(net::lookup_host(background(), "blocks.test"));
    rt::set_lookup_function(nullptr);
  });
}

// --- happy eyeballs ---

/// Listeners on [::1] and 127.0.0.1 with the same port. A full one answers no SYN.
struct two_listeners {
  net::listener six;
  net::listener four;
  std::vector<net::conn> queued;
  std::string port;
  two_listeners() {
    for (int i = 0; i < 100 && !four; ++i) {
      auto first = net::listen("tcp6", "[::1]:0");
      if (!first) return;
      port = std::to_string(first->addr().port);
      auto second = net::listen("tcp4", "127.0.0.1:" + port);
      if (!second) continue;
      six = *first;
      four = *second;
    }
  }
  [[nodiscard]] bool usable() const { return six && four; }
  void fill(const net::listener& at) {
    EXPECT_EQ(::listen(at.native_handle(), 0), 0);
    for (int i = 0; i < 8; ++i) {
      auto got = net::dial("tcp", at.addr().string(), {.timeout = 30ms});
      if (!got) return;
      queued.push_back(*got);
    }
  }
  /// True if nobody has tried to connect.
  static bool untouched(const net::listener& at) {
    (void)at.set_deadline(net::time_point(1ns));
    const bool none = !at.accept();
    (void)at.set_deadline({});
    return none;
  }
};

TEST(happy_eyeballs, a_silent_first_family_does_not_hold_the_dial) {
  weft::run([] {
    const with_resolver names({v6_loopback(), v4(1)});
    two_listeners at;
    if (!at.usable()) GTEST_SKIP() << "no IPv6 here";
    at.fill(at.six);
    const uint32_t before = rt::netpoll_waiters();
    const auto got = net::dial("tcp", "both.test:" + at.port, {.fallback_delay = 1ms});
    ASSERT_TRUE(got) << message_of(got);
    EXPECT_EQ(got->remote_addr().kind, net::family::ipv4);
    until([&] { return rt::netpoll_waiters() == before; });  // the other attempt has been ended
  });
}

TEST(happy_eyeballs, the_second_family_is_left_alone_while_the_first_may_answer) {
  weft::run([] {
    const with_resolver names({v6_loopback(), v4(1)});
    const two_listeners at;
    if (!at.usable()) GTEST_SKIP() << "no IPv6 here";
    const auto got = net::dial("tcp", "both.test:" + at.port, {.fallback_delay = 1h});
    ASSERT_TRUE(got) << message_of(got);
    EXPECT_EQ(got->remote_addr().kind, net::family::ipv6);
    EXPECT_TRUE(two_listeners::untouched(at.four));
  });
}

TEST(happy_eyeballs, a_first_family_that_fails_is_not_waited_for) {
  weft::run([] {
    const with_resolver names({v6_loopback(), v4(1)});
    two_listeners at;
    if (!at.usable()) GTEST_SKIP() << "no IPv6 here";
    (void)at.six.close();
    const auto got = net::dial("tcp", "both.test:" + at.port, {.fallback_delay = 1h});
    ASSERT_TRUE(got) << message_of(got);
    EXPECT_EQ(got->remote_addr().kind, net::family::ipv4);
  });
}

TEST(happy_eyeballs, of_two_failures_the_first_family_is_reported) {
  weft::run([] {
    const with_resolver names({v6_loopback(), v4(1)});
    two_listeners at;
    if (!at.usable()) GTEST_SKIP() << "no IPv6 here";
    (void)at.six.close();
    (void)at.four.close();
    EXPECT_EQ(message_of(net::dial("tcp", "both.test:" + at.port)),
              "dial tcp [::1]:" + at.port + ": connect: connection refused");
    EXPECT_EQ(message_of(net::dial("tcp4", "both.test:" + at.port)),
              "dial tcp 127.0.0.1:" + at.port + ": connect: connection refused");
  });
}

TEST(happy_eyeballs, a_negative_delay_keeps_the_order_within_the_time_given) {
  weft::run([] {
    const with_resolver names({v6_loopback(), v4(1)});
    two_listeners at;
    if (!at.usable()) GTEST_SKIP() << "no IPv6 here";
    at.fill(at.six);
    const auto got =
        net::dial("tcp", "both.test:" + at.port, {.timeout = 20ms, .fallback_delay = -1ns});
    EXPECT_EQ(message_of(got), "dial tcp [::1]:" + at.port + ": i/o timeout");
    EXPECT_TRUE(two_listeners::untouched(at.four));
  });
}

TEST(happy_eyeballs, a_context_ends_both) {
  weft::run([] {
    const with_resolver names({v6_loopback(), v4(1)});
    two_listeners at;
    if (!at.usable()) GTEST_SKIP() << "no IPv6 here";
    at.fill(at.six);
    at.fill(at.four);
    auto [ctx, cancel] = with_cancel(background());
    const uint32_t before = rt::netpoll_waiters();
    auto dialing = spawn([&, &given = ctx] {
      return net::dial(given, "tcp", "both.test:" + at.port, {.fallback_delay = 1ns});
    });
    until([&] { return rt::netpoll_waiters() == before + 2; });
    cancel();
    const auto got = dialing.join();
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(canceled)) << message_of(got);
    until([&] { return rt::netpoll_waiters() == before; });
  });
}

}  // namespace
