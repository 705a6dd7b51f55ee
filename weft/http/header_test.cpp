// SPDX-License-Identifier: Apache-2.0
#include "weft/http/header.hpp"

#include <gtest/gtest.h>

#include "weft/base/panic.hpp"
#include "weft/http/internal/http_date.hpp"

namespace {

using weft::http::header;

TEST(Header, NamesHaveNoCase) {
  header h{{"Content-Type", "text/plain"}, {"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(h.get("content-TYPE"), "text/plain");
  EXPECT_EQ(h.get("X-A"), "1");
  EXPECT_EQ(h.values("x-A"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_FALSE(h.has("X-B"));
  EXPECT_EQ(h.get("X-B"), "");
  h.set("X-a", "3");
  EXPECT_EQ(h.values("x-a"), (std::vector<std::string_view>{"3"}));
  h.erase("CONTENT-type");
  EXPECT_EQ(h.size(), 1u);
}

TEST(Header, KeepsTheOrder) {
  header h;
  h.add("B", "1");
  h.add("A", "2");
  h.add("B", "3");
  std::string all;
  for (const header::field f : h) all.append(f.name).append("=").append(f.value).append(" ");
  EXPECT_EQ(all, "B=1 A=2 B=3 ");
}

TEST(Header, ValuesCannotEndTheField) {
  header h;
  h.add("X", "a\r\nSet-Cookie: evil=1\0b");
  EXPECT_EQ(h.get("X"), "a  Set-Cookie: evil=1");
  h.set("X", std::string_view("a\0b\x7f", 4));
  EXPECT_EQ(h.get("X"), "a b ");
  h.set("X", " \t tr im\t ");
  EXPECT_EQ(h.get("X"), "tr im");
}

TEST(Header, NamesAreTokens) {
  header h;
  for (const char* name : {"", "a b", "a:", "a\r\n", "ä", "(x)"})
    EXPECT_THROW(h.add(name, "x"), weft::panic_error) << name;
  try {
    h.add("a b", "x");
  } catch (const weft::panic_error& e) {
    EXPECT_STREQ(e.what(), "http: a header field cannot be named \"a b\"");
  }
  EXPECT_TRUE(h.empty());
  h.add("!#$%&'*+-.^_`|~09azAZ", "x");
  EXPECT_EQ(h.size(), 1u);
}

/// What is added may be a view of the header itself, whose memory moves.
TEST(Header, ValuesOfItsOwn) {
  header h{{"A", std::string(100, 'a')}};
  for (int i = 0; i < 50; ++i) h.add("B", h.get("A"));
  for (const std::string_view value : h.values("B")) EXPECT_EQ(value, std::string(100, 'a'));
  h.set("A", h.get("A").substr(0, 3));
  EXPECT_EQ(h.get("A"), "aaa");
}

TEST(Header, Lists) {
  const header h{{"Connection", "keep-alive, Upgrade"}, {"connection", "x"}};
  EXPECT_TRUE(h.has_token("Connection", "upgrade"));
  EXPECT_TRUE(h.has_token("Connection", "X"));
  EXPECT_FALSE(h.has_token("Connection", "keep"));
}

TEST(HttpDate, RoundTrip) {
  using weft::rt::format_http_date;
  using weft::rt::parse_http_date;
  EXPECT_EQ(format_http_date(784111777).view(), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(0).view(), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_http_date(951782400).view(), "Tue, 29 Feb 2000 00:00:00 GMT");
  for (int64_t at = 0; at < 5'000'000'000; at += 86399 * 7)
    ASSERT_EQ(parse_http_date(format_http_date(at).view()), at);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), 784111777);
  for (const char* bad : {"", "x", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
                          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                          "Sun, 6 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994"})
    EXPECT_FALSE(parse_http_date(bad)) << bad;
}

}  // namespace
