// SPDX-License-Identifier: Apache-2.0
// The intrusive list and the random source.
#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "weft/base/intrusive_list.hpp"
#include "weft/base/random.hpp"

namespace weft::rt {
namespace {

struct item {
  char name;
  list_hook<item> hook;
};
using item_list = intrusive_list<item, &item::hook>;

std::string names(const item_list& list) {
  std::string forward;
  for (item* at = list.front(); at != nullptr; at = item_list::next(at)) forward += at->name;
  return forward;
}

TEST(IntrusiveList, KeepsOrder) {
  item a{'a', {}}, b{'b', {}}, c{'c', {}};
  item_list list;
  EXPECT_TRUE(list.empty());
  list.push_back(&b);
  list.push_back(&c);
  list.push_front(&a);
  EXPECT_EQ(names(list), "abc");
  EXPECT_EQ(list.back(), &c);
}

TEST(IntrusiveList, ErasesAnywhere) {
  item a{'a', {}}, b{'b', {}}, c{'c', {}}, d{'d', {}};
  item_list list;
  for (item* i : {&a, &b, &c, &d}) list.push_back(i);
  list.erase(&b);
  EXPECT_EQ(names(list), "acd");
  list.erase(&a);
  list.erase(&d);
  EXPECT_EQ(names(list), "c");
  EXPECT_EQ(list.front(), list.back());
  list.erase(&c);
  EXPECT_TRUE(list.empty());
  list.push_back(&b);  // hooks are clean again
  EXPECT_EQ(names(list), "b");
}

TEST(IntrusiveList, PopsFromTheFront) {
  item a{'a', {}}, b{'b', {}};
  item_list list;
  list.push_back(&a);
  list.push_back(&b);
  EXPECT_EQ(list.pop_front(), &a);
  EXPECT_EQ(list.pop_front(), &b);
  EXPECT_EQ(list.pop_front(), nullptr);
}

TEST(RandomSource, SameSeedSameNumbers) {
  random_source a{7};
  random_source b{7};
  random_source c{8};
  uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
}

TEST(RandomSource, BitsAreEven) {
  random_source source{0};
  int ones = 0;
  for (int i = 0; i < 10'000; ++i) ones += std::popcount(source.next());
  EXPECT_NEAR(ones, 320'000, 3'000);
}

TEST(RandomSource, BelowReachesAllAndNoMore) {
  random_source source{1};
  int seen[5] = {};
  for (int i = 0; i < 5000; ++i) ++seen[source.below(5)];
  for (int count : seen) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace weft::rt
