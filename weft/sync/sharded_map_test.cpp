// SPDX-License-Identifier: Apache-2.0
// sharded_map: operations, changes in place by many at once, and what throws under the lock.
#include "weft/sync/sharded_map.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

TEST(ShardedMap, DoesAsAPlainMap) {
  weft::sharded_map<int, std::string> map;
  std::unordered_map<int, std::string> plain;
  std::mt19937 random(1);
  for (int step = 0; step < 20000; ++step) {
    const int k = static_cast<int>(random() % 300);
    const std::string v(random() % 4, 'x');
    const bool there = plain.contains(k);
    switch (random() % 9) {
      case 0:
        map.store(k, v);
        plain[k] = v;
        break;
      case 1:
        ASSERT_EQ(map.insert(k, v), !there);
        plain.try_emplace(k, v);
        break;
      case 2:
        ASSERT_EQ(map.erase(k), there);
        plain.erase(k);
        break;
      case 3:
        ASSERT_EQ(map.update(k, [](std::string& s) { return (s += 'u').size(); }),
                  (plain[k] += 'u').size());
        break;
      case 4:
        ASSERT_EQ(map.modify(k, [](std::string& s) { s = "m"; }), there);
        if (there) plain[k] = "m";
        break;
      case 5: {
        const bool gone = there && plain[k].size() > 1;
        ASSERT_EQ(map.erase_if(k, [](const std::string& s) { return s.size() > 1; }), gone);
        if (gone) plain.erase(k);
        break;
      }
      case 6:
        map.compute(k, [&](std::optional<std::string>& s) {
          ASSERT_EQ(s.has_value(), there);
          if (s && s->empty())
            s.reset();
          else
            s = "computed";
        });
        if (there && plain[k].empty())
          plain.erase(k);
        else
          plain[k] = "computed";
        break;
      default:
        ASSERT_EQ(map.contains(k), there);
        ASSERT_EQ(map.load(k), there ? std::optional(plain[k]) : std::nullopt);
    }
  }
  EXPECT_EQ(map.size(), plain.size());
  std::unordered_map<int, std::string> seen;
  map.for_each([&](int k, const std::string& v) { EXPECT_TRUE(seen.emplace(k, v).second); });
  EXPECT_EQ(seen, plain);
  int some = 0;
  map.for_each([&](int, const std::string&) { return ++some < 3; });
  EXPECT_EQ(some, 3);
  map.clear();
  EXPECT_TRUE(map.empty());
}

struct text_hash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
TEST(ShardedMap, LooksUpWithoutMakingAKey) {
  weft::sharded_map<std::string, int, text_hash, std::equal_to<>> map;
  map.store("one", 1);
  EXPECT_EQ(map.load(std::string_view("one")), 1);
  EXPECT_TRUE(map.read(std::string_view("one"), [](int) {}));
}

TEST(ShardedMap, HoldsWhatCannotBeMoved) {
  struct fixed {
    fixed() = default;
    fixed(const fixed&) = delete;
    fixed& operator=(const fixed&) = delete;
    int number = 0;
  };
  weft::sharded_map<int, fixed> map;
  map.update(1, [](fixed& f) { f.number = 5; });
  EXPECT_TRUE(map.read(1, [](const fixed& f) { EXPECT_EQ(f.number, 5); }));
}

TEST(ShardedMap, WhatThrowsLeavesTheLockFree) {
  weft::sharded_map<int, std::string> map;
  map.store(1, "kept");
  EXPECT_THROW(map.update(1, [](std::string&) { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_THROW(map.compute(1, [](std::optional<std::string>&) { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(map.load(1), "kept");
}

TEST(ShardedMap, ChangesAreOneStepEach) {
  weft::run({.procs = 4}, [] {
    weft::sharded_map<int, int64_t> map;
    constexpr int each = 5000;
    const auto work = [&] {
      for (int i = 0; i < each; ++i)
        map.update(i % 7, [&](int64_t& n) {
          const int64_t was = n;
          if (i % 500 == 0) weft::yield();  // it may park under the lock
          n = was + 1;
        });
    };
    weft::wait_group all;
    for (int g = 0; g < 8; ++g) all.go(work);
    std::thread guest(work);
    all.wait();
    guest.join();
    int64_t sum = 0;
    map.for_each([&](int, int64_t n) { sum += n; });
    EXPECT_EQ(sum, 9 * each);
  });
}

}  // namespace
