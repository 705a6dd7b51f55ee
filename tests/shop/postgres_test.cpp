// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL client against a real server (with_postgres.py): no P waits for it; a context ends
// a query here and on the server; connections that died are made anew. The ledger on it:
// store_test.cpp.
#include <gtest/gtest.h>

#include <cstdlib>

#include "postgres_client.hpp"
#include "weft/base/atomic.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace std::chrono_literals;
using shop::pg::pool;

std::string dsn() {
  const char* said = std::getenv("WEFT_TEST_DSN");
  return said == nullptr ? "" : said;
}

class Postgres : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(dsn().empty()) << "run it by with_postgres.py"; }

  /// How many queries of this text the server works on.
  static int64_t running(pool& p, const std::string& text) {
    auto got = p.query(weft::background(),
                       "select count(*) from pg_stat_activity where state = 'active' "
                       "and query = $1 and pid <> pg_backend_pid()",
                       {text});
    EXPECT_TRUE(got.has_value()) << got.error().message();
    return got ? got->number(0, 0) : -1;
  }
};

TEST_F(Postgres, RowsNullsAndErrors) {
  weft::run([] {
    pool p({.dsn = dsn(), .connections_max = 2, .setup = {}});
    const weft::context ctx = weft::background();
    auto got = p.query(ctx, "select $1::text || '!', null, 7::bigint", {"grüße ' \""});
    ASSERT_TRUE(got.has_value()) << got.error().message();
    EXPECT_EQ(got->text(0, 0), "grüße ' \"!");
    EXPECT_FALSE(got->all[0][1].has_value());
    EXPECT_EQ(got->number(0, 2), 7);
    auto bad = p.query(ctx, "select * from nothing_of_that_name");
    ASSERT_FALSE(bad.has_value());
    ASSERT_NE(bad.error().as<shop::pg::server_error>(), nullptr);
    EXPECT_EQ(bad.error().as<shop::pg::server_error>()->sqlstate, "42P01");
    EXPECT_FALSE(p.query(ctx, "select $1", {std::string("a\0b", 3)}).has_value());
    EXPECT_TRUE(p.query(ctx, "select 1")) << "the connection is good still";
    EXPECT_EQ(p.stats().connected, 1U);
    // More than the sockets' buffers hold, both ways.
    const std::string large(8'000'000, 'x');
    auto echoed = p.query(ctx, "select $1::text", {large});
    ASSERT_TRUE(echoed.has_value()) << echoed.error().message();
    EXPECT_EQ(echoed->text(0, 0).size(), large.size());
  });
}

TEST_F(Postgres, OtherGoroutinesGoOnWhileOneWaitsForTheServer) {
  weft::run([] {
    weft::maxprocs(1);
    pool p({.dsn = dsn(), .connections_max = 4, .setup = {}});
    const weft::context ctx = weft::background();
    ASSERT_TRUE(p.query(ctx, "select 1"));
    weft::rt::atomic<bool> done{false};
    int64_t turns = 0;
    auto waiting = weft::spawn([&] {
      auto got = p.query(ctx, "select pg_sleep(0.5)");
      done.store(true, weft::rt::release);  // partner: the loop below
      return got.has_value();
    });
    const auto began = weft::now();
    while (!done.load(weft::rt::acquire)) {
      ++turns;
      weft::sleep_for(1ms);  // another goroutine's work, between two looks
    }
    EXPECT_TRUE(waiting.join());
    EXPECT_GE(weft::now() - began, 400ms);
    EXPECT_GT(turns, 100) << "the only P was blocked";
    // Four at once.
    pool watcher({.dsn = dsn(), .connections_max = 1, .setup = {}});
    const std::string slow = "select pg_sleep(61)";
    auto [limited, cancel] = weft::with_cancel(ctx);
    weft::wait_group all;
    for (int i = 0; i < 4; ++i)
      all.go([&, mine = limited] { EXPECT_FALSE(p.query(mine, slow).has_value()); });
    while (running(watcher, slow) < 4) weft::yield();
    cancel();
    all.wait();
  });
}

TEST_F(Postgres, AContextEndsAQueryHereAndOnTheServer) {
  weft::run([] {
    pool p({.dsn = dsn(), .connections_max = 1, .setup = {}});
    pool watcher({.dsn = dsn(), .connections_max = 1, .setup = {}});
    const std::string slow = "select pg_sleep(60)";
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    auto waiting = weft::spawn([&, mine = ctx] { return p.query(mine, slow); });
    while (running(watcher, slow) == 0) weft::yield();
    const auto began = weft::now();
    cancel();
    const auto got = waiting.join();
    ASSERT_FALSE(got.has_value());
    EXPECT_TRUE(got.error().is(weft::canceled)) << got.error().message();
    while (running(watcher, slow) != 0) weft::yield();
    EXPECT_LT(weft::now() - began, 30s) << "the server went on";
    // The pool's only connection comes back, the same one.
    EXPECT_TRUE(p.query(weft::background(), "select 1"));
    EXPECT_EQ(p.stats().cancelled, 1U);
    EXPECT_EQ(p.stats().connected, 1U);

    const auto [brief, stop] = weft::with_timeout(weft::background(), 50ms);
    auto late = p.query(brief, slow);
    ASSERT_FALSE(late.has_value());
    EXPECT_TRUE(late.error().timeout()) << late.error().message();
    EXPECT_TRUE(p.query(weft::background(), "select 1"));
  });
}

TEST_F(Postgres, ThePoolHasALimitAndWaitsEndWithTheContext) {
  weft::run([] {
    pool p({.dsn = dsn(), .connections_max = 2, .setup = {}});
    weft::wait_group all;
    for (int i = 0; i < 20; ++i)
      all.go(
          [&] { EXPECT_TRUE(p.query(weft::background(), "select pg_sleep(0.01)").has_value()); });
    all.wait();
    EXPECT_LE(p.stats().connected, 2U);
    auto [stop, cancel] = weft::with_cancel(weft::background());
    for (int i = 0; i < 2; ++i)
      all.go([&, mine = stop] { (void)p.query(mine, "select pg_sleep(60)"); });
    while (p.stats().idle != 0) weft::yield();
    const auto [ctx, end] = weft::with_timeout(weft::background(), 20ms);
    auto got = p.query(ctx, "select 1");
    ASSERT_FALSE(got.has_value());
    EXPECT_TRUE(got.error().timeout()) << got.error().message();
    cancel();
    all.wait();
  });
}

TEST_F(Postgres, DeadConnectionsAreMadeAnew) {
  weft::run([] {
    pool p({.dsn = dsn(), .connections_max = 3, .setup = {}});
    pool other({.dsn = dsn(), .connections_max = 1, .setup = {}});
    const weft::context ctx = weft::background();
    const std::string pid = p.query(ctx, "select pg_backend_pid()::text")->text(0, 0);
    ASSERT_TRUE(other.query(ctx, "select pg_terminate_backend($1::int)", {pid}));
    while (other.query(ctx, "select count(*) from pg_stat_activity where pid = $1::int", {pid})
               ->number(0, 0) != 0)
      weft::yield();
    auto got = p.query(ctx, "select pg_backend_pid()::text");
    ASSERT_TRUE(got.has_value()) << got.error().message();
    EXPECT_NE(got->text(0, 0), pid);
    EXPECT_EQ(p.stats().connected, 2U);
    pool nobody({.dsn = "host=/nonexistent dbname=x", .connections_max = 1, .setup = {}});
    auto refused = nobody.query(ctx, "select 1");
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message().find("/nonexistent"), std::string::npos)
        << refused.error().message();
    EXPECT_FALSE(nobody.query(ctx, "select 1").has_value()) << "and the pool's place is free";
  });
}

}  // namespace
