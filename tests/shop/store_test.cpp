// SPDX-License-Identifier: Apache-2.0
// What a ledger promises, asked of each store: SQLite in memory and in a file; with WITH_POSTGRES,
// a real server.
#include "store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>

#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace std::chrono_literals;
using shop::ledger_store;
using shop::transfer;

/// A folder that is removed.
class temporary_folder {
 public:
  temporary_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weft-shop-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

transfer pay(std::string key, std::string from, std::string to, int64_t cents,
             std::string memo = "memo") {
  transfer wanted;
  wanted.key = std::move(key);
  wanted.from = std::move(from);
  wanted.to = std::move(to);
  wanted.amount_cents = cents;
  wanted.memo = std::move(memo);
  return wanted;
}

class Ledger : public testing::TestWithParam<std::string> {
 protected:
  /// Runs `body` on goroutines with a store; ids in it begin with this test's name, since the
  /// server is shared by all.
  void with_store(const std::function<void(ledger_store&, const weft::context&)>& body) {
    weft::run([&] {
      weft::result<std::unique_ptr<ledger_store>> store = open();
      ASSERT_TRUE(store.has_value()) << store.error().message();
      body(**store, weft::background());
    });
  }
  [[nodiscard]] weft::result<std::unique_ptr<ledger_store>> open() {
    if (GetParam() == "memory") return shop::open_sqlite(":memory:");
    if (GetParam() == "file") return shop::open_sqlite(folder_.file("ledger.db"));
    const char* dsn = std::getenv("WEFT_TEST_DSN");
    return shop::open_postgres(weft::background(), dsn == nullptr ? "" : dsn);
  }
  [[nodiscard]] static std::string id(const std::string& name) {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    return (name.starts_with('@') ? "@" : "") + test + "." + name;
  }
  static int64_t balance(ledger_store& store, const std::string& account_id) {
    auto found = store.find_account(weft::background(), account_id);
    EXPECT_TRUE(found.has_value()) << found.error().message();
    return found ? found->balance_cents : -1;
  }

 private:
  temporary_folder folder_;
};

TEST_P(Ledger, AccountsAreOpenedOnce) {
  with_store([](ledger_store& store, const weft::context& ctx) {
    EXPECT_TRUE(store.find_account(ctx, id("a")).error().is(shop::no_such_account));
    EXPECT_EQ(store.open_account(ctx, id("a"), 500)->balance_cents, 500);
    EXPECT_EQ(store.open_account(ctx, id("a"), 900)->balance_cents, 500) << "what is there stays";
    EXPECT_EQ(store.find_account(ctx, id("a"))->balance_cents, 500);
  });
}

TEST_P(Ledger, ATransferHappensOnce) {
  with_store([](ledger_store& store, const weft::context& ctx) {
    ASSERT_TRUE(store.open_account(ctx, id("a"), 1000));
    ASSERT_TRUE(store.open_account(ctx, id("b"), 0));
    const auto first = store.move(ctx, pay(id("key"), id("a"), id("b"), 300, "für \"dich\" 'ja'"));
    ASSERT_TRUE(first.has_value()) << first.error().message();
    EXPECT_FALSE(first->repeated);
    EXPECT_GT(first->what.id, 0);
    EXPECT_GT(first->what.at_ms, 1'700'000'000'000);
    const auto again = store.move(ctx, pay(id("key"), id("a"), id("b"), 300, "another memo"));
    ASSERT_TRUE(again.has_value()) << again.error().message();
    EXPECT_TRUE(again->repeated);
    EXPECT_EQ(again->what.id, first->what.id);
    EXPECT_EQ(again->what.at_ms, first->what.at_ms);
    EXPECT_EQ(again->what.memo, "für \"dich\" 'ja'");
    EXPECT_EQ(balance(store, id("a")), 700);
    EXPECT_EQ(balance(store, id("b")), 300);
    EXPECT_TRUE(
        store.move(ctx, pay(id("key"), id("a"), id("b"), 301)).error().is(shop::key_conflict));
    EXPECT_TRUE(
        store.move(ctx, pay(id("key"), id("b"), id("a"), 300)).error().is(shop::key_conflict));
    EXPECT_EQ(balance(store, id("a")), 700);
  });
}

TEST_P(Ledger, WhatIsRefusedChangesNothing) {
  with_store([](ledger_store& store, const weft::context& ctx) {
    ASSERT_TRUE(store.open_account(ctx, id("a"), 100));
    ASSERT_TRUE(store.open_account(ctx, id("b"), 0));
    ASSERT_TRUE(store.open_account(ctx, id("@house"), 0));
    EXPECT_TRUE(
        store.move(ctx, pay(id("1"), id("a"), id("b"), 101)).error().is(shop::insufficient_funds));
    EXPECT_TRUE(
        store.move(ctx, pay(id("2"), id("a"), id("nobody"), 1)).error().is(shop::no_such_account));
    EXPECT_TRUE(
        store.move(ctx, pay(id("3"), id("nobody"), id("b"), 1)).error().is(shop::no_such_account));
    EXPECT_EQ(balance(store, id("a")), 100);
    EXPECT_EQ(balance(store, id("b")), 0);
    // A key that was refused is free.
    EXPECT_TRUE(store.move(ctx, pay(id("1"), id("a"), id("b"), 100)));
    EXPECT_TRUE(store.move(ctx, pay(id("4"), id("@house"), id("a"), 5000)))
        << "the house may be overdrawn";
    EXPECT_EQ(balance(store, id("@house")), -5000);
  });
}

TEST_P(Ledger, HistoryIsTheNewestFirst) {
  with_store([](ledger_store& store, const weft::context& ctx) {
    for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(store.open_account(ctx, id(name), 100));
    ASSERT_TRUE(store.move(ctx, pay(id("1"), id("a"), id("b"), 1)));
    ASSERT_TRUE(store.move(ctx, pay(id("2"), id("b"), id("c"), 2)));
    ASSERT_TRUE(store.move(ctx, pay(id("3"), id("c"), id("a"), 3)));
    const auto of_a = store.history(ctx, id("a"), 10);
    ASSERT_TRUE(of_a.has_value()) << of_a.error().message();
    ASSERT_EQ(of_a->size(), 2U);
    EXPECT_EQ(of_a->at(0).key, id("3"));
    EXPECT_EQ(of_a->at(0).amount_cents, 3);
    EXPECT_EQ(of_a->at(1).to, id("b"));
    EXPECT_EQ(store.history(ctx, id("b"), 1)->size(), 1U);
    EXPECT_EQ(store.history(ctx, id("nobody"), 10)->size(), 0U);
  });
}

TEST_P(Ledger, ManyAtOnceLoseNothing) {
  with_store([](ledger_store& store, const weft::context& ctx) {
    constexpr int accounts = 5, payers = 16, each = 10;
    std::vector<std::string> ids;
    for (int i = 0; i < accounts; ++i) {
      ids.push_back(id(std::to_string(i)));
      ASSERT_TRUE(store.open_account(ctx, ids.back(), 1000));
    }
    weft::wait_group all;
    weft::mutex lock;
    std::set<int64_t> made;
    int repeated = 0;
    for (int p = 0; p < payers; ++p) {
      all.go([&, p] {
        for (int i = 0; i < each; ++i) {
          // Two of them use the same key.
          const int twin = p / 2;
          const auto got =
              store.move(ctx, pay(id(std::to_string(twin) + "/" + std::to_string(i)),
                                  ids[static_cast<size_t>((twin + i) % accounts)],
                                  ids[static_cast<size_t>((twin + i + 1) % accounts)], 1 + i));
          ASSERT_TRUE(got.has_value()) << got.error().message();
          lock.lock();
          made.insert(got->what.id);
          repeated += got->repeated ? 1 : 0;
          lock.unlock();
        }
      });
    }
    all.wait();
    EXPECT_EQ(made.size(), size_t{payers / 2 * each});
    EXPECT_EQ(repeated, payers / 2 * each);
    int64_t sum = 0;
    for (const std::string& one : ids) sum += balance(store, one);
    EXPECT_EQ(sum, 1000 * accounts);
  });
}

TEST_P(Ledger, AContextThatHasEndedChangesNothing) {
  with_store([](ledger_store& store, const weft::context& root) {
    ASSERT_TRUE(store.open_account(root, id("a"), 100));
    ASSERT_TRUE(store.open_account(root, id("b"), 0));
    auto [ctx, cancel] = weft::with_cancel(root);
    cancel();
    EXPECT_TRUE(store.move(ctx, pay(id("1"), id("a"), id("b"), 1)).error().is(weft::canceled));
    EXPECT_TRUE(store.find_account(ctx, id("a")).error().is(weft::canceled));
    EXPECT_TRUE(store.history(ctx, id("a"), 1).error().is(weft::canceled));
    EXPECT_EQ(balance(store, id("a")), 100);
    EXPECT_TRUE(store.move(root, pay(id("1"), id("a"), id("b"), 1))) << "and the store goes on";
  });
}

TEST_P(Ledger, AnInvitationToInjectIsAText) {
  with_store([](ledger_store& store, const weft::context& ctx) {
    const std::string bad = id("x'); drop table accounts; --");
    ASSERT_TRUE(store.open_account(ctx, bad, 7));
    EXPECT_EQ(store.find_account(ctx, bad)->balance_cents, 7);
  });
}

#ifdef WITH_POSTGRES
INSTANTIATE_TEST_SUITE_P(Stores, Ledger, testing::Values("postgres"),
                         [](const auto& one) { return one.param; });
#else
INSTANTIATE_TEST_SUITE_P(Stores, Ledger, testing::Values("memory", "file"),
                         [](const auto& one) { return one.param; });

// --- SQLite's own --------------------------------------------------------------------------------

TEST(SqliteLedger, KeepsItsBooksInTheFile) {
  weft::run([] {
    const temporary_folder folder;
    const weft::context ctx = weft::background();
    {
      auto store = shop::open_sqlite(folder.file("ledger.db")).value();
      ASSERT_TRUE(store->open_account(ctx, "a", 100));
      ASSERT_TRUE(store->open_account(ctx, "b", 0));
      ASSERT_TRUE(store->move(ctx, pay("k", "a", "b", 40)));
    }
    auto store = shop::open_sqlite(folder.file("ledger.db")).value();
    EXPECT_EQ(store->find_account(ctx, "a")->balance_cents, 60);
    EXPECT_TRUE(store->move(ctx, pay("k", "a", "b", 40))->repeated);
    auto nowhere = shop::open_sqlite(folder.file("none/ledger.db"));
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_NE(nowhere.error().message().find("unable to open"), std::string::npos);
  });
}

TEST(SqliteLedger, AFileThatAnotherProcessHasLockedBlocksNoPAndEndsWithTheContext) {
  weft::run([] {
    weft::maxprocs(1);
    const temporary_folder folder;
    auto store = shop::open_sqlite(folder.file("ledger.db")).value();
    ASSERT_TRUE(store->open_account(weft::background(), "a", 100));
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(folder.file("ledger.db").c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);

    const auto [ctx, cancel] = weft::with_timeout(weft::background(), 300ms);
    int turns = 0;
    auto waiting = weft::spawn([&] { return store->open_account(ctx, "b", 1); });
    while (!ctx.err()) {
      ++turns;
      // Time must pass: the other goroutine waits in the kernel, and this one shows that it runs.
      weft::sleep_for(1ms);
    }
    const auto got = waiting.join();
    ASSERT_FALSE(got.has_value());
    EXPECT_TRUE(got.error().timeout()) << got.error().message();
    EXPECT_GT(turns, 20) << "the only P was blocked";

    ASSERT_EQ(sqlite3_exec(other, "commit", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_TRUE(store->open_account(weft::background(), "b", 1));
    sqlite3_close(other);
  });
}
#endif

}  // namespace
