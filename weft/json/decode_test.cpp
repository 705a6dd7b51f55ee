// SPDX-License-Identifier: Apache-2.0
// decode(): what each type reads, what is refused and where, limits.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <unordered_map>

#include "weft/json/json.hpp"

namespace json_test {

// Visible to other files, unlike the rest here: its fields' names must refer to nothing undefined.
struct visible {
  std::string name;
  std::vector<visible> inner;
};

}  // namespace json_test

namespace {

namespace json = weft::json;
using json::reason;
using std::chrono_literals::operator""ms;

enum class plain_enum : uint8_t { zero, one, two };
enum class color { red, green, blue };
WEFT_JSON_ENUM(color, red, green, blue);

struct item {
  std::string sku;
  int count = 1;
  double price = 0;
};
struct order {
  int64_t id = 0;
  std::string note;
  std::vector<item> items;
  std::map<std::string, int> sizes;
  std::optional<item> first;
};

/// The error of decoding T from `text`: its whole message, or "good".
template <class T>
std::string fault(std::string_view text, const json::decode_options& options = {}) {
  auto got = json::decode<T>(text, options);
  return got ? "good" : got.error().message();
}
template <class T>
reason why(std::string_view text, const json::decode_options& options = {}) {
  auto got = json::decode<T>(text, options);
  EXPECT_FALSE(got.has_value()) << text;
  const auto* found = got ? nullptr : got.error().template as<json::problem>();
  EXPECT_NE(found, nullptr) << text;
  return found != nullptr ? found->why : reason::syntax;
}
template <class T>
T good(std::string_view text) {
  auto got = json::decode<T>(text);
  EXPECT_TRUE(got.has_value()) << text << ": " << (got ? "" : got.error().message());
  return got ? std::move(*got) : T{};
}

// --- structs -------------------------------------------------------------------------------------

TEST(json_decode, a_plain_struct_needs_no_glue) {
  auto got = good<order>(R"( {"id": 7, "note": "h\u00e9\ud83d\ude00\n", "items": [{"sku": "a",
      "price": 1.5}, {"count": 3}], "sizes": {"s": 1, "m": 2}, "first": {"sku": "z"} } )");
  EXPECT_EQ(got.id, 7);
  EXPECT_EQ(got.note, "hé😀\n");
  ASSERT_EQ(got.items.size(), 2U);
  EXPECT_EQ(got.items[0].sku, "a");
  EXPECT_EQ(got.items[0].count, 1);
  EXPECT_EQ(got.items[0].price, 1.5);
  EXPECT_EQ(got.items[1].count, 3);
  EXPECT_EQ(got.sizes, (std::map<std::string, int>{{"s", 1}, {"m", 2}}));
  EXPECT_EQ(got.first->sku, "z");
}

TEST(json_decode, structs_that_other_files_see) {
  auto got = good<json_test::visible>(R"({"inner":[{"name":"x"}]})");
  EXPECT_EQ(got.inner.at(0).name, "x");
}

TEST(json_decode, structs_in_functions_and_with_many_fields) {
  struct local {
    int alpha = 0;
    std::string beta;
    std::vector<local> gamma;
  };
  auto got = good<local>(R"({"gamma":[{"beta":"b","alpha":2}],"alpha":1})");
  EXPECT_EQ(got.alpha, 1);
  EXPECT_EQ(got.gamma.at(0).beta, "b");

  struct fields48 {
    int a01 = 0, a02 = 0, a03 = 0, a04 = 0, a05 = 0, a06 = 0, a07 = 0, a08 = 0, a09 = 0, a10 = 0;
    int a11 = 0, a12 = 0, a13 = 0, a14 = 0, a15 = 0, a16 = 0, a17 = 0, a18 = 0, a19 = 0, a20 = 0;
    int a21 = 0, a22 = 0, a23 = 0, a24 = 0, a25 = 0, a26 = 0, a27 = 0, a28 = 0, a29 = 0, a30 = 0;
    int a31 = 0, a32 = 0, a33 = 0, a34 = 0, a35 = 0, a36 = 0, a37 = 0, a38 = 0, a39 = 0, a40 = 0;
    int a41 = 0, a42 = 0, a43 = 0, a44 = 0, a45 = 0, a46 = 0, a47 = 0;
    std::string last;
  };
  auto many = good<fields48>(R"({"last":"x","a47":47,"a01":1,"a25":25})");
  EXPECT_EQ(many.last, "x");
  EXPECT_EQ(many.a47 + many.a01 + many.a25, 73);
  EXPECT_EQ(good<fields48>(json::encode(many).value()).a47, 47);
}

TEST(json_decode, sixty_four_fields) {
  struct group {
    bool b0 = false, b1 = false, b2 = false, b3 = false, b4 = false, b5 = false, b6 = false;
    bool b7 = false;
  };
  struct most {
    group g00, g01, g02, g03, g04, g05, g06, g07, g08, g09, g10, g11, g12, g13, g14, g15;
    group g16, g17, g18, g19, g20, g21, g22, g23, g24, g25, g26, g27, g28, g29, g30, g31;
    group g32, g33, g34, g35, g36, g37, g38, g39, g40, g41, g42, g43, g44, g45, g46, g47;
    group g48, g49, g50, g51, g52, g53, g54, g55, g56, g57, g58, g59, g60, g61, g62, g63;
  };
  EXPECT_TRUE(good<most>(R"({"g63":{"b7":true}})").g63.b7);
  json::decode_options all;
  all.require_all_fields = true;
  EXPECT_EQ(fault<most>("{}", all), "json: at $ (byte 0): the key \"g00\" is missing");
}

TEST(json_decode, missing_keys_and_nulls_leave_what_was_there) {
  order got{.id = 5, .note = "kept", .items = {item{}}, .sizes = {{"old", 1}}, .first = item{}};
  ASSERT_TRUE(json::decode_into(got, R"({"id":null,"note":null,"sizes":{"new":2}})"));
  EXPECT_EQ(got.id, 5);
  EXPECT_EQ(got.note, "kept");
  EXPECT_EQ(got.items.size(), 1U);
  EXPECT_EQ(got.sizes.size(), 2U);
  EXPECT_TRUE(got.first.has_value());
  ASSERT_TRUE(json::decode_into(got, R"({"items":null,"sizes":null,"first":null})"));
  EXPECT_TRUE(got.items.empty());
  EXPECT_TRUE(got.sizes.empty());
  EXPECT_FALSE(got.first.has_value());
  ASSERT_TRUE(json::decode_into(got, "null"));
  EXPECT_EQ(got.id, 5);
}

TEST(json_decode, unknown_keys_are_passed_over_or_refused) {
  EXPECT_EQ(good<item>(R"({"x":{"y":[1,{"z":"\"}"}],"w":[]},"sku":"a","":-0.5e-3})").sku, "a");
  json::decode_options strict;
  strict.refuse_unknown_keys = true;
  EXPECT_EQ(fault<order>(R"({"items":[{"sku":"a"},{"pricee":1}]})", strict),
            R"(json: at $.items[1] (byte 23): unknown key "pricee")");
  EXPECT_EQ(why<item>(R"({"Sku":"a"})", strict), reason::unknown_key);  // case-sensitive
}

TEST(json_decode, duplicate_keys) {
  EXPECT_EQ(good<item>(R"({"count":1,"count":2})").count, 2);
  EXPECT_EQ((good<std::map<std::string, int>>(R"({"a":1,"a":2})").at("a")), 2);
  auto tree = good<json::value>(R"({"a":1,"b":2,"a":3})");
  EXPECT_EQ(tree["a"].integer(), 3);
  EXPECT_EQ(tree.members()->size(), 2U);

  json::decode_options strict;
  strict.refuse_duplicate_keys = true;
  EXPECT_EQ(fault<order>(R"({"items":[{"count":1,"count":2}]})", strict),
            R"(json: at $.items[0] (byte 21): the key "count" comes twice)");
  EXPECT_EQ(why<item>(R"({"x":1,"x":2})", strict), reason::duplicate_key);
  EXPECT_EQ(why<item>(R"({"x":{"y":1,"\u0079":2}})", strict), reason::duplicate_key);
  EXPECT_EQ((why<std::map<std::string, int>>(R"({"a":1,"\u0061":2})", strict)),
            reason::duplicate_key);
  EXPECT_EQ(why<json::value>(R"([{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"c":0}])",
                             strict),
            reason::duplicate_key);
  // What a map held before is no duplicate.
  std::map<std::string, int> kept{{"a", 1}};
  EXPECT_TRUE(json::decode_into(kept, R"({"a":5})", strict));
  EXPECT_EQ(kept["a"], 5);
}

TEST(json_decode, keys_may_be_escaped) {
  EXPECT_EQ(good<item>(R"({"s\u006bu":"a","\u0063ount":4})").count, 4);
  EXPECT_EQ(fault<item>(R"({"s\xu":1})"), R"(json: at $ (byte 3): no such escape in JSON)");
}

// --- rules for fields ----------------------------------------------------------------------------

struct renamed {
  int id = 0;
  std::string note;
  int secret = 5;
  static constexpr auto json_fields() {
    return json::adjust(json::field("order_id", &renamed::id).required(),
                        json::field("note", &renamed::note).omit_empty(),
                        json::field("", &renamed::secret).hidden());
  }
};
class point {
 public:
  point() = default;
  point(int x, int y) : x_(x), y_(y) {}
  [[nodiscard]] int sum() const { return x_ + y_; }
  static constexpr auto json_fields() {
    return json::fields(json::field("x", &point::x_), json::field("y", &point::y_));
  }

 private:
  int x_ = 0;
  int y_ = 0;
};
struct base_part {
  int low = 0;
};
struct derived : base_part {
  int high = 0;
};
WEFT_JSON(derived, low, high);

TEST(json_decode, rules_rename_require_and_hide) {
  EXPECT_EQ(good<renamed>(R"({"order_id":3,"secret":9})").id, 3);
  EXPECT_EQ(good<renamed>(R"({"order_id":3,"secret":9})").secret, 5);
  EXPECT_EQ(fault<std::vector<renamed>>(R"([{"order_id":1},{"id":3}])"),
            R"(json: at $[1] (byte 16): the key "order_id" is missing)");
  EXPECT_EQ(why<renamed>("{}"), reason::missing_key);
  EXPECT_EQ(json::encode(renamed{}).value(), R"({"order_id":0})");
  EXPECT_EQ(good<point>(R"({"y":2,"x":1})").sum(), 3);
  EXPECT_EQ(json::encode(point(1, 2)).value(), R"({"x":1,"y":2})");
  EXPECT_EQ(good<derived>(R"({"low":1,"high":2})").low, 1);
}

// --- numbers -------------------------------------------------------------------------------------

TEST(json_decode, integers_are_checked) {
  EXPECT_EQ(good<int8_t>("-128"), -128);
  EXPECT_EQ(good<uint8_t>("255"), 255);
  EXPECT_EQ(good<uint8_t>("-0"), 0);
  EXPECT_EQ(good<int64_t>("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(good<int64_t>("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(good<uint64_t>("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(good<uint64_t>("10000000000000000000"), 10'000'000'000'000'000'000ULL);
  EXPECT_EQ(fault<int8_t>("128"),
            "json: at $ (byte 0): expected an integer from -128 to 127, got 128");
  for (const char* text : {"-129", "99999999999999999999", "9223372036854775808"}) {
    EXPECT_EQ(why<int8_t>(text), reason::range) << text;
  }
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "18446744073709551616",
                           "100000000000000000000"}) {
    EXPECT_EQ(why<int64_t>(text), reason::range) << text;
  }
  for (const char* text :
       {"-1", "18446744073709551616", "-18446744073709551616", "99999999999999999999999"}) {
    EXPECT_EQ(why<uint64_t>(text), reason::range) << text;
  }
  for (const char* text : {"1.0", "1e3", "1.5"}) EXPECT_EQ(why<int>(text), reason::type) << text;
}

TEST(json_decode, doubles_are_the_nearest) {
  for (const char* text :
       {"0", "-0", "0.1", "1e23", "1.7976931348623157e308", "5e-324", "2.2250738585072011e-308",
        "9007199254740993", "123456789012345678901234567890", "0.000001", "1E+2", "1e-400",
        "-1e-400", "3.14159265358979323846264338327950288", "8.5e22", "9007199254740991e22",
        "0e999999999999", "0.0000000000000000000000000000000000001e37"}) {
    EXPECT_EQ(good<double>(text), std::strtod(text, nullptr)) << text;
  }
  EXPECT_TRUE(std::signbit(good<double>("-0.0")));
  EXPECT_EQ(good<float>("16777217"), 16777216.0F);
  EXPECT_EQ(good<float>("1.00000005960464478"), std::strtof("1.00000005960464478", nullptr));
  EXPECT_EQ(fault<double>("1e400"),
            "json: at $ (byte 0): expected a number that fits a double, got 1e400");
  EXPECT_EQ(why<float>("1e39"), reason::range);
  EXPECT_EQ(why<double>("-1e99999999999999999999"), reason::range);
}

// --- other types ---------------------------------------------------------------------------------

TEST(json_decode, containers) {
  EXPECT_EQ(good<std::vector<int>>("[1,2,3]"), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(good<std::vector<bool>>("[true,false]"), (std::vector<bool>{true, false}));
  EXPECT_EQ(good<std::deque<std::string>>(R"(["a","b"])"), (std::deque<std::string>{"a", "b"}));
  EXPECT_EQ(good<std::list<int>>("[ ]"), std::list<int>{});
  EXPECT_EQ(good<std::set<int>>("[3,1,3]"), (std::set<int>{1, 3}));
  EXPECT_EQ((good<std::array<int, 2>>("[1,2]")), (std::array<int, 2>{1, 2}));
  EXPECT_EQ((good<std::unordered_map<int, bool>>(R"({"-5":true})").at(-5)), true);
  EXPECT_EQ((good<std::map<color, int>>(R"({"blue":1})").at(color::blue)), 1);
  EXPECT_EQ((fault<std::array<int, 2>>("[1]")),
            "json: at $ (byte 0): expected an array of 2, got 1");
  EXPECT_EQ((why<std::array<int, 2>>("[1,2,3]")), reason::range);
  EXPECT_EQ((fault<std::map<uint8_t, int>>(R"({"1":2,"256":1})")),
            "json: at $ (byte 7): expected a key that is an integer from 0 to 255");
  EXPECT_EQ((why<std::map<int, int>>(R"({"1x":1})")), reason::range);
  std::vector<int> reused{9, 9, 9};
  ASSERT_TRUE(json::decode_into(reused, "[1]"));
  EXPECT_EQ(reused, std::vector<int>{1});
  EXPECT_EQ(good<std::vector<std::byte>>(R"("AQID")").size(), 3U);
  EXPECT_EQ(good<std::vector<std::byte>>(R"("/w==")").at(0), std::byte{255});
  for (const char* text :
       {R"("A")", R"("AQI")", R"("A===")", R"("AR==")", R"("AQ=I")", R"("AQ I")"}) {
    EXPECT_EQ(why<std::vector<std::byte>>(text), reason::value) << text;
  }
}

TEST(json_decode, pointers_and_enums) {
  EXPECT_EQ(*good<std::unique_ptr<int>>("5"), 5);
  EXPECT_EQ(good<std::unique_ptr<int>>("null"), nullptr);
  EXPECT_EQ(good<std::shared_ptr<item>>(R"({"count":2})")->count, 2);
  EXPECT_EQ(good<plain_enum>("2"), plain_enum::two);
  EXPECT_EQ(good<color>(R"("green")"), color::green);
  EXPECT_EQ(fault<std::vector<color>>(R"(["red","pink"])"),
            R"(json: at $[1] (byte 7): no such name: "pink"; one of "red" "green" "blue")");
  EXPECT_EQ(why<color>("1"), reason::type);
}

struct card {
  std::string last4;
  static constexpr std::string_view json_tag = "card";
};
struct transfer {
  std::string iban;
  static constexpr std::string_view json_tag = "transfer";
};

TEST(json_decode, variants_go_by_kind_or_tag) {
  using any =
      std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<int>, item>;
  EXPECT_EQ(good<any>("null").index(), 0U);
  EXPECT_EQ(good<any>("true").index(), 1U);
  EXPECT_EQ(good<any>("5").index(), 2U);
  EXPECT_EQ(good<any>("5.0").index(), 3U);
  EXPECT_EQ(good<any>(R"("x")").index(), 4U);
  EXPECT_EQ(good<any>("[1]").index(), 5U);
  EXPECT_EQ(std::get<item>(good<any>(R"({"count":3})")).count, 3);
  using number = std::variant<double, std::string>;
  EXPECT_EQ(std::get<double>(good<number>("5")), 5.0);
  EXPECT_EQ(
      fault<number>("[]"),
      "json: at $ (byte 0): expected a value that one of the alternatives takes, got an array");
  using way = std::variant<card, transfer>;
  auto got =
      good<std::vector<way>>(R"([{"iban":"AT1","type":"transfer"},{"type":"card","last4":"42"}])");
  EXPECT_EQ(std::get<transfer>(got.at(0)).iban, "AT1");
  EXPECT_EQ(std::get<card>(got.at(1)).last4, "42");
  EXPECT_EQ(json::encode(got).value(),
            R"([{"type":"transfer","iban":"AT1"},{"type":"card","last4":"42"}])");
  EXPECT_EQ(fault<way>(R"({"type":"cash"})"),
            R"(json: at $ (byte 0): no alternative has the type "cash")");
  EXPECT_EQ(why<way>(R"({"last4":"1"})"), reason::missing_key);
}

TEST(json_decode, durations_and_times) {
  EXPECT_EQ(good<std::chrono::milliseconds>(R"("1.5s")"), 1500ms);
  EXPECT_EQ(good<std::chrono::nanoseconds>(R"("-1h2m3.000000004s")").count(), -3723000000004);
  EXPECT_EQ(good<std::chrono::seconds>(R"("0")").count(), 0);
  EXPECT_EQ(fault<std::chrono::seconds>(R"("1500ms")"),
            "json: at $ (byte 0): finer than the unit it is kept in");
  EXPECT_EQ(fault<std::chrono::seconds>("5"),
            "json: at $ (byte 0): expected a duration, a string like \"1.5s\", got a number");
  for (const char* text : {"", "1", "s", "1x", "1.s.", "--1s", "2600000h", "0.1ns", "1s "}) {
    EXPECT_FALSE(json::parse_duration(text).has_value()) << text;
  }
  using time = std::chrono::system_clock::time_point;
  EXPECT_EQ(good<time>(R"("2026-11-27T05:14:29.5Z")").time_since_epoch(),
            std::chrono::milliseconds(1795756469500));
  EXPECT_EQ(good<time>(R"("2026-11-27T06:14:29.5+01:00")"),
            good<time>(R"("2026-11-27T05:14:29.5Z")"));
  for (const char* text : {"", "2026-11-27", "2026-11-27T05:14:29", "2026-02-29T05:14:29Z",
                           "2026-11-27T24:14:29Z", "2026-11-27T05:14:29.Z", "1500-01-01T00:00:00Z",
                           "2026-11-27t05:14:29Z", "2026-11-27T05:14:29+0100"}) {
    EXPECT_FALSE(json::parse_time(text).has_value()) << text;
  }
}

TEST(json_decode, raw_keeps_the_text) {
  struct envelope {
    std::string kind;
    json::raw body;
    int after = 0;
  };
  auto got = good<envelope>(R"({"kind":"a","body": {"x" : [1, 2]} ,"after":3})");
  EXPECT_EQ(got.body.text, R"({"x" : [1, 2]})");
  EXPECT_EQ(got.after, 3);
  EXPECT_EQ(json::encode(got).value(), R"({"kind":"a","body":{"x" : [1, 2]},"after":3})");
  EXPECT_EQ(good<json::raw>(" 12 \n").text, "12");
}

// --- what is wrong, and where --------------------------------------------------------------------

TEST(json_decode, errors_name_path_and_byte) {
  EXPECT_EQ(fault<order>(R"({"items":[{},{},{},{"sku":"a","price":"1.5"}]})"),
            "json: at $.items[3].price (byte 38): expected a number, got a string");
  EXPECT_EQ(fault<order>(R"({"sizes":{"a b":true}})"),
            R"(json: at $.sizes["a b"] (byte 16): expected an integer, got a boolean)");
  EXPECT_EQ(fault<order>(R"({"items":{}})"),
            "json: at $.items (byte 9): expected an array, got an object");
  EXPECT_EQ(fault<order>(R"({"id":1,)"),
            "json: at $ (byte 8): expected a key, got the end of the text");
  EXPECT_EQ(fault<order>(R"({"id" 1})"),
            "json: at $ (byte 6): expected ':' after the key, got a number");
  EXPECT_EQ(fault<order>(R"({"id":1 "note":2})"),
            "json: at $.id (byte 8): expected ',' or '}' after the value, got a string");
  EXPECT_EQ(fault<order>(R"({"note":"a\qb"})"),
            "json: at $.note (byte 10): no such escape in JSON");
  EXPECT_EQ(fault<order>("{\"note\":\"a\x01\"}"),
            "json: at $.note (byte 10): a control character in a string; it must be escaped");
  EXPECT_EQ(fault<order>("{\"items\":[{\"sku\":\"\xc3(\"}]}"),
            "json: at $.items[0].sku (byte 18): invalid UTF-8");
  EXPECT_EQ(fault<order>(R"({"note":"abc)"), "json: at $.note (byte 8): a string without an end");
  EXPECT_EQ(fault<order>("{} x"),
            "json: at $ (byte 3): expected the end of the text after the value");
  EXPECT_EQ(fault<order>("  "), "json: at $ (byte 2): expected a value, got the end of the text");
  EXPECT_EQ(fault<item>(R"({"price":01})"), "json: at $.price (byte 9): a malformed number: 01");
  auto got = json::decode<order>(R"({"items":[{"count":true}]})");
  const auto* found = got.error().as<json::problem>();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->path, "$.items[0].count");
  EXPECT_EQ(found->offset, 19U);
  EXPECT_EQ(found->why, reason::type);
  EXPECT_EQ(found->what, "expected an integer, got a boolean");
}

TEST(json_decode, long_keys_are_cut_in_paths) {
  std::string key(10'000, 'k');
  std::string message = fault<std::map<std::string, int>>("{\"" + key + "\":true}");
  EXPECT_LT(message.size(), 200U);
  std::string deep;
  for (int i = 0; i < 120; ++i) deep += "{\"abcdefghijklmnopq\":";
  EXPECT_LT(fault<json::value>(deep).size(), 700U);
}

// --- limits --------------------------------------------------------------------------------------

std::string nested(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(json_decode, limits_say_what_to_change) {
  EXPECT_EQ(fault<json::value>(nested(128)), "good");
  std::string message = fault<json::value>(nested(129));
  EXPECT_NE(message.find("(byte 128): deeper than 128 levels, which decode_options::depth_max "
                         "allows"),
            std::string::npos)
      << message;
  EXPECT_EQ(why<item>("{\"x\":" + nested(128) + "}"), reason::limit);  // also what is passed over
  json::decode_options wide;
  wide.depth_max = 1'000'000;
  EXPECT_EQ(fault<json::value>(nested(json::depth_cap), wide), "good");
  EXPECT_EQ(why<json::value>(nested(json::depth_cap + 1), wide), reason::limit);
  EXPECT_EQ(why<item>("{\"x\":" + nested(json::depth_cap) + "}", wide), reason::limit);

  json::decode_options small;
  small.bytes_max = 5;
  EXPECT_EQ(fault<json::value>("[1,2,3]", small),
            "json: at $ (byte 0): too many bytes: 7, of which decode_options::bytes_max allows 5");
  small = {};
  small.tokens_max = 6;
  EXPECT_EQ(
      fault<json::value>("[1,2,3]", small),
      "json: at $ (byte 0): too many tokens: 7, of which decode_options::tokens_max allows 6");
  EXPECT_EQ(fault<json::value>("[1,2]", small), "good");
}

TEST(json_decode, reads_no_byte_behind_the_text) {
  auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* map = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(map, MAP_FAILED);
  char* end = static_cast<char*>(map) + page;
  ASSERT_EQ(mprotect(end, page, PROT_NONE), 0);
  for (std::string_view text :
       {"1", "12345678", "\"a\"", "\"abcdefghijklmnopq\"", "{\"sku\":\"a\",\"count\":2}", "[1,2",
        "{\"s", "{\"sku\"", "{\"sku\":", "\"\\u12", "\"\\", "nul", "-", "1e", "{\"count\":7", ""}) {
    char* at = end - text.size();
    std::memcpy(at, text.data(), text.size());
    std::string_view placed(at, text.size());
    (void)json::decode<json::value>(placed);
    (void)json::decode<item>(placed);
    (void)json::decode<std::string>(placed);
    (void)json::decode<double>(placed);
    (void)json::decode<json::raw>(placed);
  }
  munmap(map, 2 * page);
}

TEST(json_decode, large_texts) {
  std::vector<int> numbers(300'000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i) - 1000;
  EXPECT_EQ(good<std::vector<int>>(json::encode(numbers).value()), numbers);
  EXPECT_EQ(good<std::vector<int>>(json::encode(numbers, {.indent = 4}).value()), numbers);
}

}  // namespace
