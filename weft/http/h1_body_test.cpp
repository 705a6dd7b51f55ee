// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h1_body.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "weft/base/byte_scan.hpp"

namespace {

namespace h1 = weft::rt::h1;
using h1::body_event;
using h1::body_kind;

h1::framing of(body_kind kind, uint64_t length = 0) {
  h1::framing out;
  out.body = kind;
  out.length = length;
  return out;
}

TEST(h1_body, none_is_done_at_once) {
  h1::body_decoder body(of(body_kind::none));
  EXPECT_EQ(body.next("x", 1).event, body_event::done);
  EXPECT_EQ(body.next("x", 1).consumed, 0u);
}

TEST(h1_body, a_length_leaves_what_follows) {
  h1::body_decoder body(of(body_kind::length, 3));
  EXPECT_EQ(body.direct_bytes(), 3u);
  auto got = body.next("abcdef", 6);
  EXPECT_EQ(got.event, body_event::data);
  EXPECT_EQ(got.bytes, 3u);
  EXPECT_EQ(got.consumed, 3u);
  EXPECT_EQ(body.next("def", 3).event, body_event::done);
  h1::body_decoder cut(of(body_kind::length, 3));
  (void)cut.next("a", 1);
  EXPECT_FALSE(cut.end_of_stream());
}

TEST(h1_body, chunks_are_read_in_place_or_elsewhere) {
  const std::string wire = "5;x\r\nhello\r\n10\r\n";
  h1::body_decoder body(of(body_kind::chunked));
  auto got = body.next(wire.data(), wire.size());
  EXPECT_EQ(got.event, body_event::data);
  EXPECT_EQ(wire.substr(got.at, got.bytes), "hello");
  const std::string rest = wire.substr(got.consumed);
  got = body.next(rest.data(), rest.size());
  EXPECT_EQ(got.event, body_event::need_more);
  EXPECT_EQ(got.consumed, rest.size());
  EXPECT_EQ(body.direct_bytes(), 16u);
  body.skip(10);
  EXPECT_EQ(body.direct_bytes(), 6u);
  body.skip(6);
  EXPECT_EQ(body.direct_bytes(), 0u);
  const std::string end = "\r\n0\r\nX: y\r\n\r\n";
  got = body.next(end.data(), end.size());
  EXPECT_EQ(got.event, body_event::trailers);
  EXPECT_EQ(got.consumed, 5u);
  EXPECT_TRUE(body.done());
}

TEST(h1_body, the_end_of_a_connection_ends_one_kind_only) {
  h1::body_decoder open(of(body_kind::until_close));
  EXPECT_EQ(open.next("abc", 3).bytes, 3u);
  EXPECT_TRUE(open.end_of_stream());
  h1::body_decoder chunks(of(body_kind::chunked));
  (void)chunks.next("3\r\nabc\r\n", 8);
  EXPECT_FALSE(chunks.end_of_stream());
}

TEST(h1_body, an_error_stays) {
  h1::body_decoder body(of(body_kind::chunked));
  EXPECT_EQ(body.next("x", 1).event, body_event::error);
  EXPECT_EQ(body.why().status, 400);
  EXPECT_EQ(body.next("1\r\n", 3).event, body_event::error);
}

TEST(h1_body, signed_chunks_of_a_long_body_pass) {
  h1::body_decoder body(of(body_kind::chunked));
  const std::string wire =
      "1000;chunk-signature=" + std::string(64, 'f') + "\r\n" + std::string(4096, 'b') + "\r\n";
  for (int i = 0; i < 2000; ++i) {
    size_t at = 0;
    while (at < wire.size()) {
      const auto got = body.next(wire.data() + at, wire.size() - at);
      ASSERT_NE(got.event, body_event::error) << body.why().text;
      at += got.consumed;
    }
  }
}

TEST(h1_body, writes_chunk_heads) {
  EXPECT_EQ(h1::make_chunk_head(1).view(), "1\r\n");
  EXPECT_EQ(h1::make_chunk_head(0x10).view(), "10\r\n");
  EXPECT_EQ(h1::make_chunk_head(65535).view(), "ffff\r\n");
  EXPECT_EQ(h1::make_chunk_head(std::numeric_limits<uint64_t>::max()).view(),
            "ffffffffffffffff\r\n");
}

// The vector unit and the table agree, wherever the byte stands.
TEST(byte_scan, blocks_and_the_table_agree) {
  namespace scan = weft::rt::scan;
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (size_t at = 0; at < 40; ++at) {
      std::string text(40, 'a');
      text[at] = static_cast<char>(byte);
      const char* const p = text.data();
      const char* const end = p + text.size();
      EXPECT_EQ(scan::first_not_name(p, end), scan::first_outside(p, end, scan::in_name)) << byte;
      EXPECT_EQ(scan::first_control(p, end), scan::first_outside(p, end, scan::in_text)) << byte;
      EXPECT_EQ(scan::first_not_target(p, end), scan::first_outside(p, end, scan::in_target))
          << byte;
    }
  }
}

}  // namespace
