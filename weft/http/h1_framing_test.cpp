// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h1_framing.hpp"

#include <gtest/gtest.h>

#include "weft/http/h1_judge_testing.hpp"

namespace {

using namespace h1_test;
using h1::body_kind;
using h1::method_id;

outcome request(const std::string& wire) { return judge_whole(wire); }
outcome response(const std::string& wire, method_id asked = method_id::get) {
  options how;
  how.response = true;
  how.asked = asked;
  return judge_whole(wire, how);
}

TEST(h1_framing, keep_alive_is_the_default_of_1_1_only) {
  const std::string get_1_1 = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string get_1_0 = "GET / HTTP/1.0\r\n";
  EXPECT_TRUE(request(get_1_1 + "\r\n").keep_alive);
  EXPECT_FALSE(request(get_1_1 + "Connection: Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(request(get_1_1 + "Connection: x, close\r\n\r\n").keep_alive);
  EXPECT_FALSE(request(get_1_1 + "Connection: keep-alive\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_TRUE(request(get_1_1 + "Connection: closed\r\n\r\n").keep_alive);
  EXPECT_FALSE(request(get_1_0 + "\r\n").keep_alive);
  EXPECT_TRUE(request(get_1_0 + "Connection: Keep-Alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(request(get_1_0 + "Connection: close, keep-alive\r\n\r\n").keep_alive);
}

TEST(h1_framing, expect_and_upgrade_belong_to_1_1) {
  EXPECT_FALSE(request("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na")
                   .expect_continue);
  EXPECT_FALSE(
      request("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expect_continue);
  const std::string ws = "Host: a\r\nUpgrade: websocket\r\n";
  EXPECT_TRUE(request("GET / HTTP/1.1\r\nConnection: Upgrade\r\n" + ws + "\r\n").upgrade);
  EXPECT_FALSE(request("GET / HTTP/1.1\r\n" + ws + "\r\n").upgrade);
  EXPECT_FALSE(request("GET / HTTP/1.0\r\nConnection: Upgrade\r\n" + ws + "\r\n").upgrade);
}

TEST(h1_framing, an_absolute_target_says_host_and_path) {
  const outcome got = request("GET http://A.b:1/c?d HTTP/1.1\r\nHost: a.B:1\r\n\r\n");
  ASSERT_FALSE(got.refused()) << got.why.text;
  EXPECT_EQ(got.host, "A.b:1");
  EXPECT_EQ(got.path, "/c?d");
  EXPECT_EQ(request("GET http://a?x=/ HTTP/1.1\r\nHost: a\r\n\r\n").path, "?x=/");
  const outcome tunnel = request("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
  EXPECT_EQ(tunnel.host, "a:1");
  EXPECT_EQ(tunnel.path, "");
  EXPECT_EQ(request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path, "*");
}

TEST(h1_framing, bodies_of_responses) {
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n\r\nabc").body, "abc");
  EXPECT_FALSE(response("HTTP/1.1 200 OK\r\n\r\nabc").keep_alive);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").kind, body_kind::none);
  EXPECT_TRUE(response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
  const std::string three = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
  EXPECT_EQ(response(three, method_id::head).kind, body_kind::none);
  EXPECT_TRUE(response(three, method_id::head).complete);
  EXPECT_TRUE(response(three, method_id::head).keep_alive);
  EXPECT_FALSE(response(three + "ab").complete);
  EXPECT_EQ(response("HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\n").kind, body_kind::none);
  EXPECT_TRUE(response("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n").keep_alive);
  // Whoever announces a body where there is none may send it after all.
  EXPECT_FALSE(response("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n").keep_alive);
  EXPECT_FALSE(response("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n").keep_alive);
  EXPECT_EQ(
      response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").body,
      "a");
  EXPECT_TRUE(
      response("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n\r\n", method_id::connect).kind, body_kind::none);
}

TEST(h1_framing, lengths) {
  uint64_t length = 0;
  EXPECT_TRUE(h1::parse_length("9223372036854775807", length));
  EXPECT_EQ(length, 9223372036854775807u);
  EXPECT_TRUE(h1::parse_length("0", length));
  EXPECT_EQ(length, 0u);
  for (const char* bad : {"", "00", "9223372036854775808", "10000000000000000000", "1 ", " 1"})
    EXPECT_FALSE(h1::parse_length(bad, length)) << bad;
}

}  // namespace
