// SPDX-License-Identifier: Apache-2.0
// Profiles read, right ones and wrong ones; the graph and the table that are made of them.
#include "profile.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "flame_graph.hpp"
#include "flame_page.hpp"
#include "gunzip.hpp"
#include "profile_maker.hpp"
#include "text.hpp"
#include "top_table.hpp"

namespace {

using namespace weft_command;
using weft_command_test::message;
using weft_command_test::small_profile;

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(Z_OK, ::deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY));
  std::string out(::deflateBound(&stream, text.size()), 0);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(Z_STREAM_END, ::deflate(&stream, Z_FINISH));
  out.resize(stream.total_out);
  (void)::deflateEnd(&stream);
  return out;
}

std::string why_not(std::string_view bytes) {
  const weft::result<profile> got = parse_profile(bytes);
  return got ? "it is read" : got.error().message();
}

TEST(Profile, AllOfASmallOne) {
  const weft::result<profile> got = parse_profile(small_profile());
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_EQ(2U, got->sample_types.size());
  EXPECT_EQ("cpu", got->sample_types[1].type);
  EXPECT_EQ("nanoseconds", got->sample_types[1].unit);
  ASSERT_EQ(3U, got->samples.size());
  EXPECT_EQ((std::vector<int64_t>{7, 700}), got->samples[0].values);
  ASSERT_EQ(1U, got->samples[0].labels.size());
  EXPECT_EQ("route", got->samples[0].labels[0].key);
  EXPECT_EQ("/pay", got->samples[0].labels[0].text);
  const profile_location& inlined = got->locations[got->samples[0].locations[0]];
  ASSERT_EQ(2U, inlined.lines.size());
  EXPECT_EQ("shop::step<&lt;>", got->functions[inlined.lines[1].function].name);
  EXPECT_EQ(30, inlined.lines[1].line);
  EXPECT_EQ("main.cpp", got->functions[inlined.lines[1].function].file);
  const profile_location& nameless = got->locations[got->samples[2].locations[0]];
  EXPECT_EQ("0x1400 server", got->functions[nameless.lines[0].function].name);
  EXPECT_EQ(2'000'000'000, got->duration_ns);
  EXPECT_EQ("/opt/shop/server", got->mappings[0].file);
}

TEST(Profile, GzipInOneMemberAndInTwo) {
  const std::string plain = small_profile();
  EXPECT_TRUE(parse_profile(gzip(plain)));
  EXPECT_TRUE(parse_profile(gzip(plain.substr(0, 50)) + gzip(plain.substr(50))));
  const std::string whole = gzip(plain);
  for (size_t end = 2; end < whole.size(); ++end)
    EXPECT_EQ("gzip: the file ends in the middle", why_not(whole.substr(0, end))) << end;
  EXPECT_EQ("gzip: something follows its end", why_not(whole + "more"));
  std::string damaged = whole;
  damaged[whole.size() - 6] ^= 1;
  EXPECT_EQ("gzip: damaged: incorrect data check", why_not(damaged));
  EXPECT_EQ("gzip: holds more than 100 bytes", gunzip(whole, 100).error().message());
  EXPECT_EQ(plain, gunzip(whole, plain.size()).value());
}

TEST(Profile, WhatIsWrongIsSaid) {
  EXPECT_EQ("not a profile: at byte 0: it is empty", why_not(""));
  EXPECT_EQ("not a profile but an execution trace: see weft trace convert",
            why_not(std::string_view("go 1.26 trace\0\0\0", 16)));
  EXPECT_EQ("not a profile but HTML, XML or SVG", why_not("<!DOCTYPE html>"));
  EXPECT_EQ("not a profile but JSON", why_not("{\"a\":1}"));
  EXPECT_TRUE(why_not("heap profile: 1: 2 [3: 4] @ heap/1048576").contains("debug=1"));
  const std::string type = message().number(1, 0).number(2, 0).text();
  const auto with = [&](const auto& more) {
    message out;
    out.bytes(1, type).bytes(6, "").bytes(6, "x");
    more(out);
    return why_not(out.text());
  };
  EXPECT_EQ("it is read", with([](message&) {}));
  EXPECT_TRUE(why_not(message().bytes(6, "").text()).contains("no sample type"));
  EXPECT_TRUE(why_not(message().bytes(1, type).text()).contains("no strings"));
  EXPECT_TRUE(why_not(message().bytes(1, type).bytes(6, "x").text()).contains("not empty"));
  EXPECT_TRUE(with([](message& m) { m.number(14, 2); }).contains("string 2 of 2"));
  EXPECT_TRUE(with([](message& m) { m.bytes(2, ""); }).contains("has 0 values"));
  EXPECT_TRUE(with([](message& m) {
                m.bytes(2, message().number(1, 5).number(2, 1).text());
              }).contains("no location with the id 5"));
  EXPECT_TRUE(with([](message& m) { m.bytes(4, ""); }).contains("without an id"));
  EXPECT_TRUE(with([](message& m) {
                m.bytes(5, message().number(1, 9).text()).bytes(5, message().number(1, 9).text());
              }).contains("two functions have the id 9"));
  EXPECT_TRUE(with([](message& m) {
                m.bytes(4, message().number(1, 1).bytes(4, message().number(1, 3).text()).text());
              }).contains("no function with the id 3"));
  EXPECT_TRUE(with([](message& m) {
                m.bytes(4, message().number(1, 1).number(2, 3).text());
              }).contains("no mapping with the id 3"));
  EXPECT_TRUE(with([](message& m) { m.number(2, 1); }).contains("no text or message"));
  EXPECT_TRUE(with([](message& m) { m.bytes(9, "a"); }).contains("no number"));
  EXPECT_TRUE(why_not(small_profile().substr(0, 200)).contains("at byte"));
}

TEST(Profile, SampleTypesByNameAndByDefault) {
  weft::result<profile> got = parse_profile(small_profile());
  EXPECT_EQ(1U, got->find_sample_type("").value());
  EXPECT_EQ(0U, got->find_sample_type("samples").value());
  got->default_sample_type = "samples";
  EXPECT_EQ(0U, got->find_sample_type("").value());
  EXPECT_EQ("no sample type \"heap\" here; there is samples, cpu",
            got->find_sample_type("heap").error().message());
}

TEST(FlameGraph, StacksBecomeATree) {
  const profile got = parse_profile(small_profile()).value();
  const flame_graph graph = make_flame_graph(got, 1, nullptr).value();
  EXPECT_EQ(1100, graph.total);
  std::string said;
  for (const flame_frame& f : graph.frames)
    said += std::to_string(f.depth) + " " + shorten_name(graph.functions[f.function].name, 15) +
            " " + std::to_string(f.value) + " " + std::to_string(f.self) +
            (f.inlined ? " inlined\n" : "\n");
  EXPECT_EQ(
      "1 main 1100 0\n"
      "2 shop::step<> 700 0\n"
      "3 vector<>::work 700 700 inlined\n"
      "2 idle 300 300\n"
      "2 0x1400 server 100 100\n",
      said);
}

TEST(FlameGraph, OfTooManyFramesTheSmallestGo) {
  const profile got = parse_profile(small_profile()).value();
  flame_graph graph = make_flame_graph(got, 1, nullptr).value();
  prune(graph, 5);
  EXPECT_EQ(5U, graph.frames.size());
  EXPECT_EQ(0, graph.pruned_below);
  prune(graph, 3);
  ASSERT_EQ(3U, graph.frames.size());
  EXPECT_EQ(3U, graph.frames[2].depth);  // main, step, work; not idle (300) and 0x1400 (100)
  EXPECT_EQ(1100, graph.frames[0].value);
  EXPECT_TRUE(graph.pruned_below > 300 && graph.pruned_below <= 700) << graph.pruned_below;
}

TEST(FlameGraph, TwoProfilesSideBySide) {
  const profile now = parse_profile(small_profile(700, 0)).value();
  const profile before = parse_profile(small_profile(350, 40)).value();
  const flame_graph graph = make_flame_graph(now, 1, &before).value();
  EXPECT_EQ(800, graph.total);
  EXPECT_EQ(490, graph.other_total);
  bool idle = false;
  for (const flame_frame& f : graph.frames) {
    if (graph.functions[f.function].name != "idle") continue;
    idle = true;  // though it is gone
    EXPECT_EQ(0, f.value);
    EXPECT_EQ(40, f.other);
  }
  EXPECT_TRUE(idle);
}

TEST(TopTable, FlatAndCumulative) {
  const profile got = parse_profile(small_profile()).value();
  const top_table table = make_top_table(got, 1, nullptr).value();
  EXPECT_EQ(
      "File: server\nType: cpu\nTime: 2026-11-06 21:20:00 UTC\n"
      "Duration: 2s, Total samples = 1.10us (0.00%)\n"
      "Showing 3 of 5 functions, of 1.10us in all\n"
      "      flat  flat%   sum%        cum   cum%\n"
      "     700ns 63.64% 63.64%      700ns 63.64%  "
      "std::vector<int, std::allocator<int>>::work(int, char const*) (inline)\n"
      "     300ns 27.27% 90.91%      300ns 27.27%  idle\n"
      "     100ns  9.09%   100%      100ns  9.09%  0x1400 server\n",
      top_text(table, got, 3));
}

TEST(TopTable, DifferencesHaveTheOthersPercent) {
  const profile now = parse_profile(small_profile(700, 300)).value();
  const profile before = parse_profile(small_profile(300, 400)).value();
  const top_table table = make_top_table(now, 1, &before).value();
  EXPECT_EQ(800, table.total);
  EXPECT_EQ(400, table.rows[0].flat);
  EXPECT_EQ("idle", table.rows[1].name);
  EXPECT_EQ(-100, table.rows[1].flat);
}

TEST(FlamePage, NothingOfAProfileEndsTheScript) {
  profile got = parse_profile(small_profile()).value();
  got.functions[0].name = "</script><script>alert(1)</script>]]>\x01\xff";
  const flame_graph graph = make_flame_graph(got, 1, nullptr).value();
  const flame_text text{.title = "a <b> & \"c\" ]]>", .about = ""};
  const auto count = [](std::string_view in, std::string_view what) {
    size_t n = 0;
    for (size_t at = in.find(what); at != std::string_view::npos; at = in.find(what, at + 1)) ++n;
    return n;
  };
  const std::string html = flame_html(graph, text);
  EXPECT_EQ(2U, count(html, "</script>"));
  EXPECT_EQ(0U, count(html, "alert(1)<"));
  EXPECT_EQ(0U, count(html, "http://") - count(html, "http://www.w3.org/"));  // no network
  EXPECT_EQ(0U, count(html, "https://"));
  EXPECT_EQ(2U, count(flame_svg(graph, text), "]]>"));
}

TEST(Text, NamesGrowShorterFromWhatSaysLeast) {
  const char* name = "app::store<std::pair<int, int>>::put(std::string const&, int) const";
  EXPECT_EQ(name, shorten_name(name, 100));
  EXPECT_EQ("app::store<std::pair<int, int>>::put", shorten_name(name, 40));
  EXPECT_EQ("app::store<>::put", shorten_name(name, 20));
  EXPECT_EQ("store<>::put", shorten_name(name, 14));
  EXPECT_EQ("put", shorten_name(name, 4));
  EXPECT_EQ("", shorten_name(name, 2));
  EXPECT_EQ("b.(*T).Do", shorten_name("github.com/a/b.(*T).Do", 12));
  EXPECT_EQ("x::operator()", shorten_name("x::operator()(int) const", 15));
  EXPECT_EQ("ordinary_fun..", shorten_name("ordinary_function_of_c", 14));
}

TEST(Text, Values) {
  EXPECT_EQ("1.50s", value_text(1'500'000'000, "nanoseconds"));
  EXPECT_EQ("10ms", value_text(10'000'000, "nanoseconds"));
  EXPECT_EQ("-2.50mins", value_text(-150'000'000'000, "nanoseconds"));
  EXPECT_EQ("512.05kB", value_text(524339, "bytes"));
  EXPECT_EQ("7", value_text(7, "count"));
  EXPECT_EQ("100%", percent_text(5, 5));
  EXPECT_EQ("0%", percent_text(0, 5));
  EXPECT_EQ("-20.00%", percent_text(-1, 5));
  EXPECT_EQ("1,234,567", with_commas(1234567));
  EXPECT_EQ("-123", with_commas(-123));
  EXPECT_EQ("850ms", age_text(0.85));
  EXPECT_EQ("4m10s", age_text(250));
  EXPECT_EQ("2d3h", age_text(2 * 86400 + 3 * 3600 + 5));
}

}  // namespace
