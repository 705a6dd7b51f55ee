// SPDX-License-Identifier: Apache-2.0
// What is JSON and what is not (RFC 8259), as value, as raw and passed over, whatever the reader of
// a type would say: texts that must be accepted, refused, or that the standard leaves to us.
#include <gtest/gtest.h>

#include "weft/json/json.hpp"

namespace {

namespace json = weft::json;
using namespace std::string_literals;
using namespace std::string_view_literals;

/// Accepted by each way of reading all of JSON, or by none.
bool accepted(std::string_view text) {
  struct wrapped {
    int known = 0;
  };
  bool as_value = json::decode<json::value>(text).has_value();
  bool as_raw = json::decode<json::raw>(text).has_value();
  bool valid = !json::validate(text);
  bool skipped = json::decode<wrapped>("{\"x\":" + std::string(text) + "}").has_value();
  bool in_array = json::decode<std::vector<json::value>>("[" + std::string(text) + "]").has_value();
  EXPECT_EQ(as_value, as_raw) << text;
  EXPECT_EQ(as_value, valid) << text;
  // Blanks and commas mean something else in there; texts of these kinds are not in the lists.
  EXPECT_EQ(as_value, skipped) << text;
  EXPECT_EQ(as_value, in_array) << text;
  return as_value;
}

TEST(json_suite, must_be_accepted) {
  for (std::string_view text :
       {"null"sv,
        "true"sv,
        "false"sv,
        "0"sv,
        "-0"sv,
        "-1"sv,
        "10"sv,
        "0.5"sv,
        "-0.5"sv,
        "1e1"sv,
        "1E1"sv,
        "1e+1"sv,
        "1e-1"sv,
        "1.5e10"sv,
        "0e1"sv,
        "0e+1"sv,
        "0.0e-0"sv,
        "123.456e-78"sv,
        "-123123e100"sv,
        "\"\""sv,
        "\"a\""sv,
        "\"\\\"\""sv,
        "\"\\\\\""sv,
        "\"\\/\""sv,
        "\"\\b\\f\\n\\r\\t\""sv,
        "\"\\u0000\""sv,
        "\"\\u00e9\""sv,
        "\"\\uD83D\\uDE00\""sv,
        "\"\\uABCD\\uabcd\""sv,
        "\"\\\\u0000\""sv,
        "\"/\""sv,
        "\"\x7f\""sv,
        "\"\u00e9\""sv,
        "\"\U0001F600\""sv,
        "\"\u2028\""sv,
        "\"\uffff\""sv,
        "\"\U0010FFFF\""sv,
        "\"{[]}:,\""sv,
        "\" \""sv,
        "[]"sv,
        "[[]]"sv,
        "[1]"sv,
        "[1,2]"sv,
        "[[],[[]]]"sv,
        "[null,1,\"1\",{}]"sv,
        "{}"sv,
        "{\"\":0}"sv,
        "{\"a\":1}"sv,
        "{\"a\":1,\"a\":2}"sv,
        "{\"a\":{\"b\":[]}}"sv,
        "{\"a\":[],\"b\":{}}"sv,
        "{\"\\u0061\":1}"sv,
        " [ ] "sv,
        "[1 ]"sv,
        "[ 1]"sv,
        "\t{\n\"a\"\r:\n1 ,\"b\" : 2\n}\n"sv,
        " 1 "sv,
        " \"x\" "sv,
        " true"sv,
        "[1,\n1\n,1]"sv,
        "\"\\\\\\\\\""sv,
        "\"\\\\\\\"\""sv,
        "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\\\"\""sv}) {
    EXPECT_TRUE(accepted(text)) << text;
  }
}

TEST(json_suite, must_be_refused) {
  for (std::string_view text : {"nul"sv,
                                "nulll"sv,
                                "tru"sv,
                                "truee"sv,
                                "True"sv,
                                "fals"sv,
                                "NULL"sv,
                                "nan"sv,
                                "NaN"sv,
                                "Infinity"sv,
                                "-Infinity"sv,
                                "inf"sv,
                                "+1"sv,
                                "01"sv,
                                "-01"sv,
                                "00"sv,
                                "1."sv,
                                "-1."sv,
                                ".5"sv,
                                "-.5"sv,
                                "-"sv,
                                "--1"sv,
                                "1e"sv,
                                "1e+"sv,
                                "1E-"sv,
                                "1.e1"sv,
                                "e1"sv,
                                "1eE2"sv,
                                "1e1.5"sv,
                                "0x10"sv,
                                "1_000"sv,
                                "1 000"sv,
                                "1a"sv,
                                "1\""sv,
                                "1\"a\""sv,
                                "1true"sv,
                                "1\0"sv,
                                "1\f"sv,
                                "\"a"sv,
                                "a\""sv,
                                "'a'"sv,
                                "a"sv,
                                "\"\\\""sv,
                                "\"\\x00\""sv,
                                "\"\\a\""sv,
                                "\"\\u\""sv,
                                "\"\\u12\""sv,
                                "\"\\u123\""sv,
                                "\"\\u123g\""sv,
                                "\"\\u 123\""sv,
                                "\"\\ud83d\""sv,
                                "\"\\ude00\""sv,
                                "\"\\ud83d\\u0061\""sv,
                                "\"\\ud83dx\""sv,
                                "\"\\ud83d\\ud83d\""sv,
                                "\"\\ud83d\\u00\""sv,
                                "\"\\\n\""sv,
                                "\"\n\""sv,
                                "\"\t\""sv,
                                "\"\0\""sv,
                                "\"\x1f\""sv,
                                "\"\xff\""sv,
                                "\"\xc0\x80\""sv,
                                "\"\xc3\""sv,
                                "\"\xe2\x82\""sv,
                                "\"\xed\xa0\x80\""sv,
                                "\"\xf0\x80\x80\x80\""sv,
                                "\"\xf4\x90\x80\x80\""sv,
                                "\"\x80\""sv,
                                "\"a\"b"sv,
                                "\"a\"\"b\""sv,
                                "\"a\" \"b\""sv,
                                "\"a\"1"sv,
                                "\"a\"true"sv,
                                "true\"a\""sv,
                                "["sv,
                                "]"sv,
                                "[1"sv,
                                "[1,"sv,
                                "[,1]"sv,
                                "[1,,2]"sv,
                                "[1,]"sv,
                                "[1 2]"sv,
                                "[1:2]"sv,
                                "[}"sv,
                                "[1}"sv,
                                "[\"a\":1]"sv,
                                "[1;2]"sv,
                                "[a]"sv,
                                "[1]]"sv,
                                "[[]"sv,
                                "[\"a\",\n4\n,1,"sv,
                                "{"sv,
                                "}"sv,
                                "{]"sv,
                                "{\"a\""sv,
                                "{\"a\":"sv,
                                "{\"a\":}"sv,
                                "{\"a\" 1}"sv,
                                "{\"a\",1}"sv,
                                "{\"a\":1"sv,
                                "{\"a\":1,"sv,
                                "{\"a\":1,}"sv,
                                "{,}"sv,
                                "{,\"a\":1}"sv,
                                "{\"a\":1 \"b\":2}"sv,
                                "{\"a\":1;\"b\":2}"sv,
                                "{a:1}"sv,
                                "{'a':1}"sv,
                                "{1:1}"sv,
                                "{null:1}"sv,
                                "{[]:1}"sv,
                                "{\"a\"::1}"sv,
                                "{\"a\":1,,\"b\":2}"sv,
                                "{\"a\":1}}"sv,
                                "{\"a\":1]"sv,
                                "{\"a\\x\":1}"sv,
                                "{\"a\xff\":1}"sv,
                                "{\"a\":\"b\":\"c\"}"sv,
                                "{\"\\ud800\":1}"sv,
                                "/**/1"sv,
                                "1//x"sv,
                                "#1"sv,
                                "[1]x"sv,
                                "\xef\xbb\xbf"
                                "1"sv,
                                "\xa0"
                                "1"sv,
                                "\f1"sv,
                                "\v1"sv,
                                "\u2060"sv,
                                "@"sv,
                                "*"sv,
                                "\\u0031"sv,
                                "[\\u0031]"sv,
                                "<1>"sv,
                                "()"sv}) {
    EXPECT_FALSE(accepted(text)) << text;
  }
}

TEST(json_suite, empty_and_blank_texts_are_refused) {
  for (std::string_view text : {""sv, " "sv, "\n\t\r "sv, "1 2"sv, "{}{}"sv, "[],[]"sv}) {
    EXPECT_FALSE(json::decode<json::value>(text).has_value()) << text;
    EXPECT_TRUE(json::validate(text)) << text;
  }
}

// What the standard leaves open, and what is done here.
TEST(json_suite, left_open_by_the_standard) {
  // Numbers beyond a double are JSON, but no value has them; what passes them over does not mind.
  struct none {
    int known = 0;
  };
  for (std::string_view text : {"1e400"sv, "-1e400"sv, "123e99999999999999999999"sv}) {
    EXPECT_FALSE(json::decode<json::value>(text).has_value()) << text;
    EXPECT_FALSE(json::validate(text)) << text;
    EXPECT_TRUE(json::decode<none>("{\"x\":" + std::string(text) + "}").has_value()) << text;
    EXPECT_EQ(json::decode<json::raw>(text)->text, text);
  }
  // Too small is zero; too precise is rounded; keys may come twice.
  EXPECT_EQ(json::decode<double>("123e-10000000").value(), 0);
  EXPECT_EQ(json::decode<double>("0.1000000000000000055511151231257827021181583404541").value(),
            0.1);
  EXPECT_EQ(json::decode<json::value>("{\"a\":1,\"a\":2}").value()["a"].integer(), 2);
  // Noncharacters and NUL are characters.
  EXPECT_EQ(json::decode<std::string>("\"\\uffff\\u0000\"").value(), "\uffff\0"s);
  // A byte order mark and halves of surrogate pairs are refused (above).
}

}  // namespace
