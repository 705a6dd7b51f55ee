// SPDX-License-Identifier: Apache-2.0
// encode(): the text of each type, its options, and what cannot be written.
#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "weft/json/json.hpp"

namespace {

namespace json = weft::json;

template <class T>
std::string text(const T& value, const json::encode_options& options = {}) {
  auto got = json::encode(value, options);
  return got ? *got : got.error().message();
}

struct inner {
  std::string a;
  std::optional<int> b;
};
struct outer {
  int id = 0;
  std::vector<inner> list;
  std::map<std::string, double> shares;
  std::unique_ptr<inner> owned;
};

TEST(json_encode, structs_lists_maps) {
  outer value;
  value.id = -3;
  value.list = {{"x", 1}, {"y", {}}};
  value.shares = {{"b", 0.5}, {"a", 1}};
  EXPECT_EQ(text(value),
            R"({"id":-3,"list":[{"a":"x","b":1},{"a":"y","b":null}],"shares":{"a":1,"b":0.5},)"
            R"("owned":null})");
  EXPECT_EQ(text(std::map<int, bool>{{1, true}}), R"({"1":true})");
  EXPECT_EQ(text(std::set<std::string>{"b", "a"}), R"(["a","b"])");
  EXPECT_EQ(text(std::string_view("view")), R"("view")");
  EXPECT_EQ(text("literal"), R"("literal")");
  EXPECT_EQ(text(std::vector<bool>{true, false}), "[true,false]");
  EXPECT_EQ(text(std::vector<int>{}), "[]");
  EXPECT_EQ(text(nullptr), "null");
  EXPECT_EQ(text(std::vector<std::byte>{std::byte{1}, std::byte{2}}), R"("AQI=")");
}

TEST(json_encode, views_in_structs_that_are_only_written) {
  struct answer {
    std::string_view status;
    const char* detail;
  };
  EXPECT_EQ(text(answer{"ok", "fine"}), R"({"status":"ok","detail":"fine"})");
}

TEST(json_encode, indented) {
  outer value;
  value.list = {{"x", {}}};
  EXPECT_EQ(text(value, {.indent = 2}), R"({
  "id": 0,
  "list": [
    {
      "a": "x",
      "b": null
    }
  ],
  "shares": {},
  "owned": null
})");
}

TEST(json_encode, omit_empty) {
  struct sparse {
    int number = 0;
    std::string word;
    std::vector<int> list;
    std::optional<int> maybe;
    bool flag = false;
    static constexpr auto json_fields() {
      return json::adjust(json::field("number", &sparse::number).omit_empty(),
                          json::field("word", &sparse::word).omit_empty(),
                          json::field("list", &sparse::list).omit_empty(),
                          json::field("maybe", &sparse::maybe).omit_empty(),
                          json::field("flag", &sparse::flag).omit_empty());
    }
  };
  EXPECT_EQ(text(sparse{}), "{}");
  EXPECT_EQ(text(sparse{.number = 1, .word = "w", .list = {0}, .maybe = 0, .flag = true}),
            R"({"number":1,"word":"w","list":[0],"maybe":0,"flag":true})");
}

TEST(json_encode, strings_are_escaped) {
  EXPECT_EQ(text(std::string("\"\\/\b\f\n\r\t\x01\x1f\x7f\0z", 13)),
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\"");
  EXPECT_EQ(text(std::string("é€😀")), "\"é€😀\"");
  EXPECT_EQ(text(std::string("<a href='x'>&\u2028")), "\"<a href='x'>&\u2028\"");
  EXPECT_EQ(text(std::string("<a href='x'>&\u2028\u2029\u2027"), {.escape_html = true}),
            "\"\\u003ca href='x'\\u003e\\u0026\\u2028\\u2029\u2027\"");
  // Specials at every place of a word, in strings of every length.
  for (size_t length = 0; length < 40; ++length) {
    for (size_t at = 0; at <= length; ++at) {
      for (const char* special : {"", "\n", "\"", "\x1f", "é", "\\", "<"}) {
        std::string word = std::string(at, 'x') + special + std::string(length - at, 'y');
        for (bool html : {false, true}) {
          ASSERT_EQ(json::decode<std::string>(text(word, {.escape_html = html})).value(), word);
        }
      }
    }
  }
}

TEST(json_encode, invalid_utf8_is_refused_or_replaced) {
  for (std::string bad : {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "\xe2\x82", "\x80"}) {
    auto got = json::encode(inner{.a = "x" + bad, .b = {}});
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().as<json::problem>()->why, json::reason::utf8);
    EXPECT_EQ(got.error().as<json::problem>()->path, "$.a");
    std::string replaced = text(bad, {.replace_invalid_utf8 = true});
    EXPECT_TRUE(json::decode<std::string>(replaced).has_value()) << replaced;
    EXPECT_NE(replaced.find("\xef\xbf\xbd"), std::string::npos);
  }
}

TEST(json_encode, what_json_cannot_say_is_refused_with_its_path) {
  outer value;
  value.shares = {{"a", 1}, {"b c", std::nan("")}};
  EXPECT_EQ(text(value), "json: at $.shares[\"b c\"] (byte 40): NaN has no form in JSON");
  EXPECT_EQ(text(std::vector<double>{1, 2, -HUGE_VAL}),
            "json: at $[2] (byte 5): -infinity has no form in JSON");
  EXPECT_EQ(text(std::vector<float>{HUGE_VALF}),
            "json: at $[0] (byte 1): infinity has no form in JSON");
  std::string kept = "kept";
  EXPECT_FALSE(json::encode_to(kept, value));
  EXPECT_EQ(kept, "kept");
  EXPECT_TRUE(json::encode_to(kept, 5));
  EXPECT_EQ(kept, "kept5");
  json::raw broken{.text = "{"};
  EXPECT_NE(text(broken).find("a json::raw that is no JSON"), std::string::npos);
}

TEST(json_encode, a_cycle_ends) {
  struct node {
    std::shared_ptr<node> next;
  };
  node first{std::make_shared<node>()};
  first.next->next = first.next;
  auto got = json::encode(first);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().as<json::problem>()->why, json::reason::limit);
  EXPECT_NE(got.error().message().find("deeper than 128 levels"), std::string::npos);
  first.next->next = nullptr;
}

// --- numbers -------------------------------------------------------------------------------------

TEST(json_encode, integers) {
  EXPECT_EQ(text(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(text(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(text(int8_t{-5}), "-5");
  EXPECT_EQ(text(0), "0");
}

TEST(json_encode, doubles_are_short) {
  struct sample {
    double value;
    const char* text;
  };
  for (auto [value, expected] :
       std::initializer_list<sample>{{0.0, "0"},
                                     {-0.0, "-0"},
                                     {1.0, "1"},
                                     {0.1, "0.1"},
                                     {1289.47, "1289.47"},
                                     {-2.5, "-2.5"},
                                     {1e15, "1000000000000000"},
                                     {1e20, "100000000000000000000"},
                                     {1e21, "1e+21"},
                                     {1.5e300, "1.5e+300"},
                                     {1e-5, "0.00001"},
                                     {1e-6, "0.000001"},
                                     {1.25e-6, "0.00000125"},
                                     {1e-7, "1e-7"},
                                     {5e-324, "5e-324"},
                                     {0.3, "0.3"},
                                     {0.1 + 0.2, "0.30000000000000004"},
                                     {123456.789, "123456.789"},
                                     {1.7976931348623157e308, "1.7976931348623157e+308"}}) {
    EXPECT_EQ(text(value), expected);
  }
  EXPECT_EQ(text(0.1F), "0.1");
  EXPECT_EQ(text(3.4028235e38F), "3.4028235e+38");
}

TEST(json_encode, doubles_read_back_and_no_shorter_text_does) {
  std::mt19937_64 random(20261127);
  for (int i = 0; i < 200'000; ++i) {
    double value = 0;
    uint64_t bits = random();
    if (i % 2 == 0) {
      std::memcpy(&value, &bits, sizeof value);
      if (!std::isfinite(value)) continue;
    } else {
      value = static_cast<double>(bits % 10'000'000'000) / std::pow(10, random() % 8);
    }
    std::string ours = text(value);
    ASSERT_EQ(json::decode<double>(ours).value(), value) << ours;
    std::array<char, 64> shortest;
    auto end =
        std::to_chars(shortest.data(), shortest.data() + 64, value, std::chars_format::scientific)
            .ptr;
    auto digits = [](std::string_view number) {
      std::string found;
      for (char c : number.substr(0, number.find('e'))) {
        if (c >= '0' && c <= '9') found += c;
      }
      found.erase(0, std::min(found.find_first_not_of('0'), found.size()));
      found.erase(found.find_last_not_of('0') + 1);
      return found;
    };
    ASSERT_EQ(digits(ours), digits({shortest.data(), static_cast<size_t>(end - shortest.data())}))
        << ours;
  }
}

// --- trees and times -----------------------------------------------------------------------------

TEST(json_encode, values) {
  json::value tree = json::object{{"a", 1}, {"b", json::array{true, nullptr, "x", 2.5}}};
  (*tree.members())["c"] = json::object{};
  EXPECT_EQ(text(tree), R"({"a":1,"b":[true,null,"x",2.5],"c":{}})");
  EXPECT_EQ(tree["b"][2].string()->size(), 1U);
  EXPECT_TRUE(tree["b"]["nothing"][7].is_null());
  EXPECT_EQ(tree["b"][3].number(), 2.5);
  EXPECT_EQ(tree["a"].number(), 1.0);
  EXPECT_FALSE(tree["b"][3].integer());
  EXPECT_EQ(json::decode<json::value>(text(tree)).value(), tree);
  EXPECT_TRUE(tree.members()->erase("a"));
  EXPECT_FALSE(tree.members()->erase("a"));
  auto wide = json::decode<json::value>(
      "[18446744073709551615,-9223372036854775808,1e30,"
      "123456789012345678901234567890,-9223372036854775809]");
  EXPECT_EQ(text(*wide),
            "[18446744073709551615,-9223372036854775808,1e+30,"
            "1.2345678901234568e+29,-9223372036854776000]");
}

TEST(json_encode, durations_and_times) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(text(std::chrono::minutes(75)), R"("1h15m0s")");
  EXPECT_EQ(text(std::chrono::milliseconds(1500)), R"("1.5s")");
  EXPECT_EQ(text(nanoseconds(-1'100)), "\"-1.1µs\"");
  EXPECT_EQ(text(nanoseconds(0)), R"("0s")");
  EXPECT_EQ(text(nanoseconds(std::numeric_limits<int64_t>::min())),
            R"("-2562047h47m16.854775808s")");
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    nanoseconds value(static_cast<int64_t>(random() >> (random() % 64)) * (i % 2 ? 1 : -1));
    ASSERT_EQ(json::decode<nanoseconds>(text(value)).value(), value) << text(value);
    ASSERT_EQ(json::parse_time(json::format_time(value / 2)).value(), value / 2);
  }
  EXPECT_EQ(text(std::chrono::system_clock::time_point(std::chrono::milliseconds(-1))),
            R"("1969-12-31T23:59:59.999Z")");
}

struct celsius {
  double degrees = 0;
};

}  // namespace

template <>
struct weft::json::codec<celsius> {
  static bool read(reader& in, celsius& out) {
    std::string text;
    const size_t at = in.offset();
    if (!in.read_string(text)) return false;
    if (!text.ends_with(" C")) return in.fail(at, "expected degrees like \"20 C\"");
    out.degrees = std::stod(text);
    return true;
  }
  static bool write(writer& out, const celsius& value) {
    return out.string(std::to_string(static_cast<int>(value.degrees)) + " C");
  }
};

namespace {

TEST(json_encode, codecs_of_ones_own) {
  std::map<std::string, celsius> rooms{{"hall", {18}}};
  EXPECT_EQ(text(rooms), R"({"hall":"18 C"})");
  EXPECT_EQ((json::decode<std::map<std::string, celsius>>(R"({"a":"20 C"})")->at("a").degrees), 20);
  auto got = json::decode<std::vector<celsius>>(R"(["20 C","20"])");
  EXPECT_EQ(got.error().message(), "json: at $[1] (byte 8): expected degrees like \"20 C\"");
}

}  // namespace
