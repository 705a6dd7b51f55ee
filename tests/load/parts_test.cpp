// SPDX-License-Identifier: Apache-2.0
// The parts that need no network: responses, command line, plan, numbers, plots.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "options.hpp"
#include "plot.hpp"
#include "response.hpp"
#include "target.hpp"
#include "text.hpp"

namespace {

using load::response_reader;
using verdict = load::response_reader::verdict;

struct answer {
  verdict last = verdict::more;
  int status = 0;
  bool keep_alive = false;
  size_t left = 0;  // bytes behind the response
  friend bool operator==(const answer&, const answer&) = default;
};

/// Reads one response that comes in pieces of `step` bytes.
answer read(std::string_view bytes, size_t step, bool head = false) {
  response_reader reader;
  reader.begin(head);
  std::string buffer;
  size_t at = 0;
  for (;;) {
    size_t used = 0;
    const verdict got = reader.feed(buffer, used);
    buffer.erase(0, used);
    if (got == verdict::bad) return {got, 0, false, 0};
    if (got == verdict::done)
      return {got, reader.status(), reader.keep_alive(), buffer.size() + bytes.size() - at};
    if (at == bytes.size()) {
      const verdict end = buffer.empty() ? reader.end() : verdict::bad;
      return {end, reader.status(), reader.keep_alive(), 0};
    }
    const size_t take = std::min(step, bytes.size() - at);
    buffer.append(bytes.substr(at, take));
    at += take;
  }
}

TEST(load_response, ends_where_it_ends_however_it_is_cut) {
  struct example {
    const char* text;
    answer expected;
    bool head = false;
  };
  const example examples[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", {verdict::done, 200, true, 0}},
      {"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\nHTTP", {verdict::done, 200, true, 4}},
      {"HTTP/1.1 204 No Content\r\n\r\nxx", {verdict::done, 204, true, 2}},
      {"HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", {verdict::done, 304, true, 0}},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", {verdict::done, 200, true, 0}, true},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", {verdict::done, 200, false, 0}},
      {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
       {verdict::done, 200, true, 0}},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
       {verdict::done, 200, false, 0}},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nokmore",
       {verdict::done, 201, true, 4}},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=\"y\"\r\n0123456789"
       "\r\n0\r\n\r\nrest",
       {verdict::done, 200, true, 4}},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
       {verdict::done, 200, true, 0}},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", {verdict::done, 200, false, 0}},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", {verdict::bad, 200, true, 0}},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5", {verdict::bad, 0, true, 0}},
  };
  for (const example& e : examples)
    for (size_t step = 1; step <= 200; step = step < 20 ? step + 1 : step * 10)
      EXPECT_EQ(read(e.text, step, e.head), e.expected) << e.text << " by " << step;
}

TEST(load_response, refuses_what_it_cannot_frame) {
  for (const char* text :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"})
    EXPECT_EQ(read(text, 1000).last, verdict::bad) << text;
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x'), 4096).last, verdict::bad);
  EXPECT_EQ(
      read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(9000, 'x'), 4096)
          .last,
      verdict::bad);
}

std::string complaint(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  load::options how;
  load::plan what;
  bool help = false;
  std::string message;
  if (!load::parse_options(arguments, how, help, message)) return message;
  if (!load::make_plan(how, what, message)) return message;
  return "";
}

TEST(load_options, wrong_ones_are_named) {
  const std::string url = "http://127.0.0.1/";
  EXPECT_EQ(complaint({url}), "");
  EXPECT_EQ(complaint({}), "a URL is missing");
  EXPECT_EQ(complaint({"-c", "0", url}), "-c \"0\": must be a whole number from 1 to 100000");
  EXPECT_EQ(complaint({"-c", "7x", url}), "-c \"7x\": must be a whole number from 1 to 100000");
  EXPECT_EQ(complaint({"--rate=0", url}),
            "--rate \"0\": must be requests per second, more than 0 and at most 10000000");
  EXPECT_EQ(complaint({"-d", "10", url}),
            "-d \"10\": must be a time with a unit, such as 10s or 500ms");
  EXPECT_EQ(complaint({"--timeout", "0s", url}),
            "--timeout \"0s\": must be a time with a unit, such as 2s");
  EXPECT_EQ(complaint({"--nonsense", url}), "--nonsense: unknown option");
  EXPECT_EQ(complaint({url, "-d"}), "-d: a value is missing");
  EXPECT_EQ(complaint({"-H", "no colon", url}), "-H \"no colon\": must be \"Name: value\"");
  EXPECT_EQ(complaint({"-H", "a: b\r\nc: d", url}), "-H \"a: b\r\nc: d\": must be \"Name: value\"");
  EXPECT_EQ(complaint({"--body-file", "/nowhere", url}),
            "--body-file \"/nowhere\": must be a file that can be read");
  EXPECT_EQ(complaint({"--rate", "5", "--pipeline", "2", url}),
            "--pipeline: not together with --rate: a request is sent when it is due");
  EXPECT_EQ(complaint({"-n", "5", "-d", "2s", url}),
            "--requests: not together with --duration: which of them ends the run?");
  EXPECT_EQ(complaint({"ftp://x/"}), "\"ftp://x/\": must begin with http:// or https://");
  EXPECT_EQ(complaint({"http:///x"}), "\"http:///x\": has no host");
  EXPECT_EQ(complaint({"http://a:b@c/"}),
            "\"http://a:b@c/\": users and passwords are not supported: use -H");
  EXPECT_EQ(complaint({"0:http://x/"}),
            "\"0:http://x/\": a weight is a whole number from 1 to 1000");
  EXPECT_EQ(complaint({"--pipeline", "2", "http://a/", "http://b/"}),
            "--pipeline: all URLs must be of one server");
}

TEST(load_plan, requests_and_their_order) {
  load::options how;
  how.method = "PUT";
  how.body = "abc";
  how.headers = {"X: 1", "host: other"};
  how.urls = {{3, "http://[::1]:8080/a?b#c"}, {1, "http://h"}};
  load::plan what;
  std::string message;
  ASSERT_TRUE(load::make_plan(how, what, message)) << message;
  ASSERT_EQ(what.origins.size(), 2U);
  EXPECT_EQ(what.origins[0].address, "[::1]:8080");
  EXPECT_EQ(what.origins[1].address, "h:80");
  EXPECT_EQ(what.targets[0].request,
            "PUT /a?b HTTP/1.1\r\nUser-Agent: weft-load\r\nX: 1\r\nhost: other\r\n"
            "Content-Length: 3\r\n\r\nabc");
  EXPECT_TRUE(what.targets[1].request.starts_with("PUT / HTTP/1.1\r\n"));
  EXPECT_EQ(what.order, (std::vector<uint32_t>{0, 0, 1, 0}));
}

TEST(load_text, numbers) {
  EXPECT_EQ(load::with_commas(0), "0");
  EXPECT_EQ(load::with_commas(999), "999");
  EXPECT_EQ(load::with_commas(1234567), "1,234,567");
  EXPECT_EQ(load::time_text(0), "0");
  EXPECT_EQ(load::time_text(1423000), "1.42 ms");
  EXPECT_EQ(load::time_text(999.9e3), "1.00 ms");
  EXPECT_EQ(load::time_text(12.34e9), "12.3 s");
  EXPECT_EQ(load::bytes_text(1023), "1023 B");
  EXPECT_EQ(load::bytes_text(6.1 * 1048576), "6.10 MiB");
  EXPECT_EQ(load::short_count(41234), "41.2k");
  EXPECT_EQ(load::json_string("a\"\\\n\xff\xc3\xa9"), "\"a\\\"\\\\\\u000a\\ufffd\xc3\xa9\"");
}

TEST(load_plot, ascii_shape) {
  load::plot_options how;
  how.width = 19;  // ten columns of curve
  how.height = 4;
  how.ascii = true;
  how.color = false;
  how.label = &load::short_count;
  const auto lines = load::draw_plot({{.values = {0, 0, 0, 30, 30, 0, 0, 0, 0, 0}}}, how, true);
  EXPECT_EQ(lines, (std::vector<std::string>{"      30|   **     ", "        |   **     ",
                                             "      10|  *  *    ", "       0|***  *****"}));
}

TEST(load_plot, braille_is_one_character_per_cell) {
  load::plot_options how;
  how.width = 30;
  how.color = false;
  how.logarithmic = true;
  how.label = &load::time_text;
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1e6 * (1 + i % 7));
  for (const std::string& line : load::draw_plot({{.values = values}}, how, false)) {
    const auto characters = std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; });
    EXPECT_EQ(characters, 30);
  }
}

}  // namespace
