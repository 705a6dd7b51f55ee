// SPDX-License-Identifier: Apache-2.0
// Connections that wait without a goroutine: one is started when there is something to do.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "weft/net/dial.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/net/listener.hpp"
#include "weft/net/pipe.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace std::chrono_literals;
using weft::net::conn;

struct ends {
  conn ours;
  conn theirs;
};

ends connect() {
  const auto on = weft::net::listen("tcp", "127.0.0.1:0");
  auto dialed = weft::spawn([&] { return *weft::net::dial("tcp", on->addr().string()); });
  ends made{*on->accept(), {}};
  made.theirs = dialed.join();
  return made;
}

/// Sends what it is told into a channel.
class teller final : public weft::rt::read_watcher {
 public:
  void readable() override { told.send(weft::num_goroutine()); }
  weft::chan<int64_t> told = weft::make_chan<int64_t>(1);
};

TEST(watch, bytes_start_a_goroutine) {
  weft::run([] {
    const ends both = connect();
    teller watcher;
    const auto before = static_cast<int64_t>(weft::num_goroutine());
    ASSERT_TRUE(both.ours.stream()->watch_readable(watcher));
    EXPECT_EQ(static_cast<int64_t>(weft::num_goroutine()), before);
    ASSERT_TRUE(both.theirs.write("hello"));
    EXPECT_EQ(watcher.told.recv(), before + 1);
    char text[16];
    EXPECT_EQ(*both.ours.read(text), 5u);
    // Again: the state is as after any read.
    ASSERT_TRUE(both.ours.stream()->watch_readable(watcher));
    ASSERT_TRUE(both.theirs.write("again"));
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_EQ(*both.ours.read(text), 5u);
  });
}

TEST(watch, what_is_there_already_arms_nothing) {
  weft::run([] {
    const ends both = connect();
    teller watcher;
    ASSERT_TRUE(both.theirs.write("hello"));
    char one = 0;
    ASSERT_EQ(*both.ours.read({&one, 1}), 1u);
    EXPECT_FALSE(both.ours.stream()->watch_readable(watcher));
    char text[16];
    EXPECT_EQ(*both.ours.read(text), 4u);
  });
}

TEST(watch, an_end_is_told) {
  weft::run([] {
    const ends both = connect();
    teller watcher;
    ASSERT_TRUE(both.ours.stream()->watch_readable(watcher));
    ASSERT_TRUE(both.theirs.close());
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_TRUE(both.ours.stream()->hung_up());
    EXPECT_FALSE(both.ours.stream()->watch_readable(watcher));
    char text[16];
    EXPECT_EQ(*both.ours.read(text), 0u);
  });
}

TEST(watch, close_and_deadline_are_told) {
  weft::run([] {
    const ends both = connect();
    teller watcher;
    ASSERT_TRUE(both.ours.stream()->watch_readable(watcher));
    ASSERT_TRUE(both.ours.set_read_deadline(std::chrono::steady_clock::now() + 5ms));
    EXPECT_TRUE(watcher.told.recv());
    char text[16];
    EXPECT_TRUE(both.ours.read(text).error().timeout());
    ASSERT_TRUE(both.ours.set_read_deadline({}));
    ASSERT_TRUE(both.ours.stream()->watch_readable(watcher));
    ASSERT_TRUE(both.ours.close());
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_TRUE(both.ours.read(text).error().is(weft::net::closed));
    EXPECT_FALSE(both.ours.stream()->watch_readable(watcher));
    EXPECT_FALSE(both.ours.stream()->unwatch());
  });
}

TEST(watch, taken_out_it_is_not_told) {
  weft::run([] {
    const ends both = connect();
    teller watcher;
    ASSERT_TRUE(both.ours.stream()->watch_readable(watcher));
    EXPECT_TRUE(both.ours.stream()->unwatch());
    EXPECT_FALSE(both.ours.stream()->unwatch());
    ASSERT_TRUE(both.theirs.write("x"));
    char text[16];
    EXPECT_EQ(*both.ours.read(text), 1u);
    EXPECT_EQ(watcher.told.len(), 0u);
  });
}

TEST(watch, a_hangup_is_seen_behind_data) {
  weft::run([] {
    const ends both = connect();
    teller watcher;
    ASSERT_TRUE(both.ours.stream()->watch_hangup(watcher));
    ASSERT_TRUE(both.theirs.write("x"));
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_FALSE(both.ours.stream()->hung_up());
    ASSERT_TRUE(both.ours.stream()->watch_hangup(watcher));
    ASSERT_TRUE(both.theirs.close());
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_TRUE(both.ours.stream()->hung_up());
    char text[16];
    EXPECT_EQ(*both.ours.read(text), 1u);
    EXPECT_EQ(*both.ours.read(text), 0u);
  });
}

/// The same promises in memory.
TEST(watch, pipes_tell_too) {
  weft::run([] {
    const auto [ours, theirs] = weft::net::pipe();
    teller watcher;
    char text[16];
    ASSERT_TRUE(ours.stream()->watch_readable(watcher));
    ASSERT_TRUE(theirs.write("hello"));
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_FALSE(ours.stream()->watch_readable(watcher));
    EXPECT_EQ(*ours.read(text), 5u);
    ASSERT_TRUE(ours.stream()->watch_readable(watcher));
    EXPECT_TRUE(ours.stream()->unwatch());
    EXPECT_FALSE(ours.stream()->unwatch());
    ASSERT_TRUE(ours.stream()->watch_readable(watcher));
    ASSERT_TRUE(ours.set_read_deadline(std::chrono::steady_clock::now() + 1ms));
    EXPECT_TRUE(watcher.told.recv());
    ASSERT_TRUE(ours.set_read_deadline({}));
    ASSERT_TRUE(ours.stream()->watch_hangup(watcher));
    ASSERT_TRUE(theirs.close());
    EXPECT_TRUE(watcher.told.recv());
    EXPECT_TRUE(ours.stream()->hung_up());
    EXPECT_FALSE(ours.stream()->watch_hangup(watcher));
    EXPECT_EQ(*ours.read(text), 0u);
  });
}

/// Of arming, bytes, taking out: every arming is told, or taken out, exactly once.
TEST(watch, each_arming_ends_once) {
  for (const int procs : {1, 4})
    weft::run({.procs = procs}, [] {
      const ends both = connect();
      struct counter final : weft::rt::read_watcher {
        void readable() override {
          ++told;
          done.send(true);
        }
        std::atomic<int> told{0};
        weft::chan<bool> done = weft::make_chan<bool>(1);
      } watcher;
      weft::wait_group all;
      constexpr int rounds = 2000;
      all.go([&] {
        for (int i = 0; i < rounds; ++i) {
          EXPECT_TRUE(both.theirs.write("x"));
          if (i % 3 == 0) weft::yield();
        }
      });
      int armed = 0, told = 0, taken = 0;
      for (int got = 0; got < rounds;) {
        if (both.ours.stream()->watch_readable(watcher)) {
          ++armed;
          if (armed % 2 == 0 && both.ours.stream()->unwatch()) {
            ++taken;
          } else {
            (void)watcher.done.recv();
            ++told;
          }
        }
        char text[64];
        got += static_cast<int>(*both.ours.read(text));
      }
      all.wait();
      EXPECT_EQ(armed, told + taken);
      EXPECT_EQ(watcher.told, told);
    });
}

}  // namespace
