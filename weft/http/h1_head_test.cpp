// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h1_head.hpp"

#include <gtest/gtest.h>

#include <string>

#include "weft/http/h1_judge_testing.hpp"
#include "weft/http/h1_vectors_testing.hpp"

namespace {

using namespace h1_test;
using weft::rt::header_id;

void expect_status(const vector& v, const outcome& got, const char* how) {
  EXPECT_EQ(got.why.status, v.status) << v.name << ", " << how << ": " << got.why.text;
  if (v.status == 0) {
    EXPECT_TRUE(got.complete) << v.name << ", " << how;
    EXPECT_EQ(got.consumed, v.wire.size()) << v.name << ", " << how;
  }
}

void expect_all(const std::vector<vector>& vectors) {
  for (const vector& v : vectors) {
    expect_status(v, judge_whole(v.wire), "whole");
    // A megabyte byte by byte, each time copied, takes minutes.
    if (v.wire.size() < 1000) expect_status(v, judge_by(1, v.wire), "byte by byte");
    expect_status(v, judge_by(v.wire.size() < 1000 ? 7 : 4096, v.wire), "in pieces");
  }
}

TEST(h1_vectors, the_35_of_the_table) {
  const auto vectors = smuggling_vectors();
  ASSERT_EQ(vectors.size(), 35u);
  expect_all(vectors);
}

TEST(h1_vectors, more_of_their_kinds) { expect_all(more_vectors()); }

TEST(h1_vectors, a_pipelined_request_is_not_touched) {
  for (const vector& v : more_vectors()) {
    if (v.status != 0) continue;
    const outcome got = judge_whole(v.wire + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(got.consumed, v.wire.size()) << v.name;
    EXPECT_TRUE(got.complete) << v.name;
  }
}

TEST(h1_head, says_what_a_request_is) {
  const outcome got = judge_whole(
      "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nX-One:  two words \r\n"
      "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello");
  ASSERT_FALSE(got.refused()) << got.why.text;
  EXPECT_EQ(got.method, "POST");
  EXPECT_EQ(got.target, "/a/b?c=d");
  EXPECT_EQ(got.host, "example.com:8080");
  EXPECT_EQ(got.path, "/a/b?c=d");
  EXPECT_EQ(got.minor_version, 1);
  ASSERT_EQ(got.fields.size(), 4u);
  EXPECT_EQ(got.fields[1], std::make_pair(std::string("X-One"), std::string("two words")));
  EXPECT_EQ(got.body, "hello");
  EXPECT_TRUE(got.keep_alive);
  EXPECT_TRUE(got.expect_continue);
}

TEST(h1_head, knows_common_names_whatever_their_case) {
  const std::string wire =
      "GET / HTTP/1.1\r\nhOST: a\r\nCONTENT-type: b\r\nX-Unknown: c\r\ncookie: d\r\nTE: e\r\n\r\n";
  h1::head head;
  head.reset();
  ASSERT_EQ(head.parse_request(wire.data(), wire.size(), {}), h1::verdict::ok);
  EXPECT_EQ(head.method(), h1::method_id::get);
  EXPECT_EQ(head[0].id, header_id::host);
  EXPECT_EQ(head[1].id, header_id::content_type);
  EXPECT_EQ(head[2].id, header_id::other);
  EXPECT_EQ(head[3].id, header_id::cookie);
  EXPECT_EQ(head[4].id, header_id::te);
  EXPECT_EQ(head.count(header_id::host), 1u);
  EXPECT_EQ(head.count(header_id::expect), 0u);
  EXPECT_EQ(head.value(*head.find(header_id::cookie)), "d");
  EXPECT_EQ(head.find(header_id::date), nullptr);
}

TEST(h1_head, is_reused_and_keeps_its_memory) {
  h1::head head;
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 90; ++i) many += "X" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
  many += "\r\n";
  for (int round = 0; round < 3; ++round) {
    head.reset();
    ASSERT_EQ(head.parse_request(many.data(), many.size(), {}), h1::verdict::ok);
    ASSERT_EQ(head.size(), 91u);
    EXPECT_EQ(head.name(head[90]), "X89");
    EXPECT_EQ(head.value(head[90]), "89");
    const std::string small = "GET /s HTTP/1.0\r\n\r\n";
    head.reset();
    ASSERT_EQ(head.parse_request(small.data(), small.size(), {}), h1::verdict::ok);
    EXPECT_EQ(head.size(), 0u);
    EXPECT_EQ(head.target_text(), "/s");
    EXPECT_EQ(head.count(header_id::host), 0u);
  }
}

// A head in pieces costs a constant per byte: a long line is not read again for each of its bytes.
TEST(h1_head, a_line_that_comes_byte_by_byte_is_not_read_again) {
  h1::head_limits limits;
  limits.head_bytes_max = 64u << 20;
  std::string wire = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  wire.append(4u << 20, 'x');
  wire += "\r\n\r\n";
  h1::head head;
  head.reset();
  h1::verdict got = h1::verdict::need_more;
  // Quadratic, these 4 MB would be 8 * 10^12 bytes of reading.
  for (size_t shown = 1; shown <= wire.size(); ++shown)
    got = head.parse_request(wire.data(), shown, limits);
  EXPECT_EQ(got, h1::verdict::ok);
  EXPECT_EQ(head[1].value.bytes, 4u << 20);
}

TEST(h1_head, limits_are_named) {
  options how;
  how.head.head_bytes_max = 100;
  how.head.fields_max = 2;
  how.head.target_bytes_max = 10;
  const auto text = [&](const std::string& wire) {
    return std::string(judge_whole(wire, how).why.text);
  };
  EXPECT_NE(text(get("Host: a\r\nX: " + std::string(90, 'x') + "\r\n")).find("head_bytes_max"),
            std::string::npos);
  EXPECT_NE(text(get("Host: a\r\nX: y\r\nZ: z\r\n")).find("fields_max"), std::string::npos);
  EXPECT_NE(text("GET /1234567890 HTTP/1.1\r\n").find("target_bytes_max"), std::string::npos);
  // Up to the limit, and no further.
  const std::string most = get("Host: a\r\nX: " + std::string(100 - 16 - 9 - 3 - 4, 'x') + "\r\n");
  ASSERT_EQ(most.size(), 100u);
  EXPECT_FALSE(judge_whole(most, how).refused());
  EXPECT_FALSE(judge_by(1, most, how).refused());
  EXPECT_EQ(judge_by(1, get("Host: a\r\nX: " + std::string(69, 'x') + "\r\n"), how).why.status,
            431);
}

TEST(h1_head, reads_responses) {
  options how;
  how.response = true;
  const outcome ok = judge_whole("HTTP/1.1 200 Fine, thanks\r\nContent-Length: 2\r\n\r\nhi", how);
  EXPECT_EQ(ok.status, 200);
  EXPECT_EQ(ok.reason, "Fine, thanks");
  EXPECT_EQ(ok.body, "hi");
  EXPECT_TRUE(ok.keep_alive);
  for (const char* good : {"HTTP/1.1 204\r\n\r\n", "HTTP/1.1 204 \r\n\r\n",
                           "HTTP/1.0 304 Not Modified\r\nContent-Length: 7\r\n\r\n"}) {
    EXPECT_FALSE(judge_whole(good, how).refused()) << good;
    EXPECT_TRUE(judge_by(1, good, how).complete) << good;
  }
  for (const char* bad :
       {"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    EXPECT_TRUE(judge_whole(bad, how).refused()) << bad;
    EXPECT_TRUE(judge_by(1, bad, how).refused()) << bad;
  }
}

TEST(h1_head, knows_the_preface_of_http_2) {
  const std::string_view whole = h1::h2_preface;
  EXPECT_EQ(h1::match_h2_preface(whole.data(), whole.size()), h1::verdict::ok);
  EXPECT_EQ(h1::match_h2_preface(whole.data(), 5), h1::verdict::need_more);
  EXPECT_EQ(h1::match_h2_preface("PUT / HTTP/1.1", 14), h1::verdict::error);
}

}  // namespace
