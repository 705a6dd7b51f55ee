// SPDX-License-Identifier: Apache-2.0
// The parser and writers of RESP, glob patterns, the table: what needs no server.
#include "resp.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "glob.hpp"
#include "table.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(resp, seeded_garbage) {
  const std::string seeds[] = {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
                               "PING\r\n",
                               "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab\r\nc\r\n",
                               "SET \"a b\\x41\\n\" 'it\\'s'\r\n",
                               "*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n",
                               "*1\r\n$-1\r\n"};
  std::mt19937 random(20240607);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int parts = static_cast<int>(random() % 4); parts >= 0; --parts)
      text += seeds[random() % std::size(seeds)];
    for (int changes = static_cast<int>(random() % 5); changes > 0 && !text.empty(); --changes) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = "*$\r\n0123456789-\"'\\ x"[random() % 20];
          break;
        case 1:
          text.erase(at, random() % 6);
          break;
        case 2:
          text.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          text.insert(at, text.substr(0, random() % 20));
          break;
      }
    }
    SCOPED_TRACE(round);
    feed(text);
  }
}

TEST(resp, knows_how_much_a_large_bulk_needs) {
  const kv::resp_limits limits;
  kv::request_parser parser(limits);
  size_t consumed = 0;
  EXPECT_EQ(parser.next("*1\r\n$1000\r\nxx", consumed), kv::parse_status::need_more);
  EXPECT_EQ(consumed, 0U);
  EXPECT_EQ(parser.bytes_wanted(), 4 + 7 + 1000 + 2U);
}

TEST(resp, limits_have_redis_texts) {
  const kv::resp_limits limits;
  const auto error_of = [&](const std::string& text) {
    kv::request_parser parser(limits);
    size_t consumed = 0;
    return parser.next(text, consumed) == kv::parse_status::error ? parser.error_text() : "";
  };
  const std::string much(70000, '1');
  EXPECT_EQ(error_of(much), "ERR Protocol error: too big inline request");
  EXPECT_EQ(error_of("*" + much), "ERR Protocol error: too big mbulk count string");
  EXPECT_EQ(error_of("*1\r\n$" + much), "ERR Protocol error: too big bulk count string");
  EXPECT_EQ(error_of("*1048577\r\n"), "ERR Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1\r\n$536870913\r\n"), "ERR Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n:1\r\n"), "ERR Protocol error: expected '$', got ':'");
  EXPECT_EQ(error_of("a \"b\r\n"), "ERR Protocol error: unbalanced quotes in request");
}

TEST(resp, errors_stay_on_one_line) {
  kv::reply r;
  r.error("ERR a\r\nb");
  EXPECT_EQ(r.text(), "-ERR a  b\r\n");
}

TEST(glob, patterns) {
  EXPECT_TRUE(kv::glob_match("*", ""));
  EXPECT_TRUE(kv::glob_match("a*b*c", "aXbYc"));
  EXPECT_FALSE(kv::glob_match("a*b*c", "aXbY"));
  EXPECT_TRUE(kv::glob_match("h[a-c]t", "hbt"));
  EXPECT_FALSE(kv::glob_match("h[^a-c]t", "hbt"));
  EXPECT_TRUE(kv::glob_match("\\*", "*"));
  EXPECT_FALSE(kv::glob_match("\\*", "x"));
  EXPECT_FALSE(kv::glob_match("?", ""));
  // Would take for ever with backtracking into every star.
  EXPECT_FALSE(kv::glob_match(std::string(30, '*') + "b", std::string(10000, 'a')));
}

TEST(table, grows_shrinks_and_finds) {
  kv::table t;
  std::mt19937 random(7);
  std::set<std::string> model;
  for (int i = 0; i < 20000; ++i) {
    const std::string key = std::to_string(random() % 3000);
    const uint64_t hash = kv::hash_bytes(key);
    kv::entry* e = t.find(key, hash);
    ASSERT_EQ(e != nullptr, model.contains(key));
    if (e == nullptr) {
      t.insert(key, hash);
      model.insert(key);
    } else {
      t.erase(e);
      model.erase(key);
    }
    ASSERT_EQ(t.size(), model.size());
  }
}

TEST(table, a_scan_meets_all_that_stay_while_others_come_and_go) {
  kv::table t;
  const auto insert = [&](const std::string& key) { t.insert(key, kv::hash_bytes(key)); };
  for (int i = 0; i < 500; ++i) insert("stays" + std::to_string(i));
  std::set<std::string> met;
  uint64_t cursor = 0;
  int step = 0;
  do {
    cursor = t.scan(cursor, [&](const kv::entry& e) { met.insert(e.key); });
    if (++step == 100)
      for (int i = 0; i < 5000; ++i) insert("guest" + std::to_string(i));
    if (step == 300) {
      for (int i = 0; i < 5000; ++i) {
        const std::string key = "guest" + std::to_string(i);
        t.erase(t.find(key, kv::hash_bytes(key)));
      }
    }
  } while (cursor != 0);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(met.contains("stays" + std::to_string(i))) << i;
}

}  // namespace
