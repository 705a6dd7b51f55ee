// SPDX-License-Identifier: Apache-2.0
// Compression both ways: who gets what, streams, bombs.
#include "weft/http/compression.hpp"

#include <gtest/gtest.h>

#include <string>

#include "weft/http/internal/accept_encoding.hpp"
#include "weft/http/internal/codec.hpp"
#include "weft/http/recorder_testing.hpp"
#include "weft/net/errors.hpp"

namespace {

using namespace weft::http;
using weft::rt::coding;
using weft::rt::encoder;

std::string encoded(std::string_view text, coding c) {
  std::string out;
  weft::rt::make_encoder(c, 3)->push(text, encoder::how::finish, out);
  return out;
}

std::string decoded(std::string text, std::string_view encoding, uint64_t limit = 1 << 30) {
  weft::result<body> b = decode_body(body(std::move(text)), encoding, limit);
  if (!b) return "refused: " + b.error().message();
  const weft::result<std::string> all = b->read_all(1 << 30);
  return all ? *all : "error: " + all.error().message();
}

TEST(http_compression, the_best_that_both_know) {
  struct row {
    const char* field;
    coding expected;
  };
  const row rows[] = {
      {"gzip", coding::gzip},
      {"x-GZIP", coding::gzip},
      {"gzip, deflate, br, zstd", coding::zstd},
      {"gzip;q=1.0, zstd;q=0.9", coding::gzip},
      {"gzip;q=0", coding::identity},
      {"*", coding::zstd},
      {"*;q=0, gzip;q=0.5", coding::gzip},
      {"zstd;q=0, *", coding::gzip},
      {"gzip;q=0.5, identity;q=0.8", coding::identity},
      {"identity;q=0, gzip;q=0.001", coding::gzip},
      {"br", coding::identity},
      {"", coding::identity},
      {"gzip;q=2", coding::identity},
      {"gzip;q=x", coding::identity},
      {"gzip ; q=0.3 ,,", coding::gzip},
  };
  for (const row& r : rows)
    EXPECT_EQ(weft::rt::choose_coding({{"Accept-Encoding", r.field}}, true, true), r.expected)
        << r.field;
  EXPECT_EQ(weft::rt::choose_coding({}, true, true), coding::identity);
  EXPECT_EQ(weft::rt::choose_coding({{"Accept-Encoding", "gzip, zstd"}}, true, false),
            coding::gzip);
}

const std::string text(5000, 'x');

/// Runs a handler behind the middleware for a client that accepts `accept`.
void run(recorder& w, handler h, std::string_view accept = "gzip",
         std::string_view method = "GET") {
  request r = make_request(method, "/", {{"Accept-Encoding", accept}});
  chain(std::move(h), {compression()})(w, r);
}

void plain(response_writer& w, request&) {
  w.headers().set("Content-Type", "text/plain; charset=utf-8");
  w.headers().set("Content-Length", std::to_string(text.size()));
  w.headers().set("Etag", "\"v1\"");
  w.headers().set("Accept-Ranges", "bytes");
  (void)w.write(text);
}

TEST(http_compression, an_answer) {
  for (const char* accept : {"gzip", "zstd"}) {
    recorder w;
    run(w, plain, accept);
    EXPECT_EQ(w.status(), 200);
    EXPECT_EQ(w.sent.get("Content-Encoding"), accept);
    EXPECT_EQ(w.sent.get("Vary"), "Accept-Encoding");
    EXPECT_EQ(w.sent.get("Etag"), "W/\"v1\"");
    EXPECT_FALSE(w.sent.has("Content-Length"));
    EXPECT_FALSE(w.sent.has("Accept-Ranges"));
    EXPECT_LT(w.body.size(), 200U);
    EXPECT_EQ(decoded(w.body, accept), text);
  }
}

TEST(http_compression, encoders_are_used_again) {
  const handler h = chain(plain, {compression()});
  for (int i = 0; i < 10; ++i) {
    request r = make_request("GET", "/", {{"Accept-Encoding", i % 2 == 0 ? "gzip" : "zstd"}});
    recorder w;
    h(w, r);
    EXPECT_EQ(decoded(w.body, w.sent.get("Content-Encoding")), text);
  }
}

TEST(http_compression, what_is_left_alone) {
  const auto expect_plain = [](const char* why, handler h, std::string_view accept = "gzip") {
    recorder w;
    run(w, std::move(h), accept);
    const std::string_view encoding = w.sent.get("Content-Encoding");
    EXPECT_TRUE(encoding.empty() || encoding == "br") << why;
    EXPECT_EQ(w.body.find(text.substr(0, 10)), 0U) << why;
  };
  const auto with = [](std::string name, std::string value, int status = 200) {
    return [=](response_writer& w, request&) {
      w.headers().set("Content-Type", "text/html");
      w.headers().set(name, value);
      w.write_head(status);
      (void)w.write(text);
    };
  };
  expect_plain("not accepted", plain, "br");
  expect_plain("a picture", with("Content-Type", "image/png"));
  expect_plain("no type", [](response_writer& w, request&) { (void)w.write(text); });
  expect_plain("encoded already", with("Content-Encoding", "br"));
  expect_plain("a part", with("Content-Range", "bytes 0-9/10", 206));
  expect_plain("no-transform", with("Cache-Control", "public, no-transform"));
  expect_plain("short", [](response_writer& w, request&) {
    w.headers().set("Content-Type", "text/html");
    (void)w.write(text.substr(0, 500));
    (void)w.write(text.substr(0, 500));
  });
  expect_plain("short as declared", [](response_writer& w, request&) {
    w.headers().set("Content-Type", "text/html");
    w.headers().set("Content-Length", "500");
    (void)w.write(text.substr(0, 500));
  });
  recorder w;
  run(w, [](response_writer& to, request&) { to.write_head(304); });
  EXPECT_EQ(w.status(), 304);
}

TEST(http_compression, it_varies_even_when_this_client_gets_it_plain) {
  recorder w;
  run(w, plain, "br");
  EXPECT_EQ(w.sent.get("Vary"), "Accept-Encoding");
  EXPECT_EQ(w.sent.get("Content-Length"), std::to_string(text.size()));
}

TEST(http_compression, a_flush_reaches_the_client) {
  for (const char* accept : {"gzip", "zstd"}) {
    recorder w;
    const coding c = accept == std::string_view("gzip") ? coding::gzip : coding::zstd;
    run(
        w,
        [&](response_writer& to, request&) {
          to.headers().set("Content-Type", "text/event-stream");
          (void)to.write("data: 1\n\n");
          (void)to.flush();
          EXPECT_EQ(w.flushes, 1);
          std::string_view so_far = w.body;
          std::string got(100, '\0');
          size_t made = 0;
          EXPECT_EQ(weft::rt::make_decoder(c)->pull(so_far, got.data(), got.size(), made),
                    weft::rt::decoder::verdict::more);
          EXPECT_EQ(got.substr(0, made), "data: 1\n\n");
          (void)to.write("data: 2\n\n");
        },
        accept);
    EXPECT_EQ(decoded(w.body, accept), "data: 1\n\ndata: 2\n\n");
  }
}

TEST(http_compression, head_has_the_fields_of_get) {
  recorder w;
  run(
      w,
      [](response_writer& to, request&) {
        to.headers().set("Content-Type", "text/plain");
        to.headers().set("Content-Length", "5000");
        to.write_head(200);
      },
      "gzip", "HEAD");
  EXPECT_EQ(w.sent.get("Content-Encoding"), "gzip");
  EXPECT_FALSE(w.sent.has("Content-Length"));
  EXPECT_EQ(w.body, "");
}

TEST(http_compression, what_throws_is_not_ended) {
  recorder w;
  EXPECT_THROW(run(w,
                   [](response_writer& to, request&) {
                     to.headers().set("Content-Type", "text/plain");
                     (void)to.write(text);
                     (void)to.flush();
                     throw std::runtime_error("oops");
                   }),
               std::runtime_error);
  EXPECT_EQ(decoded(w.body, "gzip"), "error: http: decoding gzip: unexpected EOF");
  recorder early;
  EXPECT_THROW(run(early,
                   [](response_writer& to, request&) {
                     to.headers().set("Content-Type", "text/plain");
                     (void)to.write("little");
                     throw std::runtime_error("oops");
                   }),
               std::runtime_error);
  EXPECT_EQ(early.status(), 0);  // the server can still answer 500
}

TEST(http_decompression, each_coding) {
  for (const coding c : {coding::gzip, coding::zstd, coding::deflate}) {
    const std::string_view name = weft::rt::coding_name(c);
    EXPECT_EQ(decoded(encoded(text, c), name), text);
    EXPECT_EQ(decoded(encoded("", c), name), "");
    EXPECT_EQ(decoded(encoded("a", c) + encoded("b", c), name), "ab");  // members, frames
    const std::string whole = encoded(text, c);
    EXPECT_EQ(decoded(whole.substr(0, whole.size() - 1), name),
              "error: http: decoding " + std::string(name) + ": unexpected EOF");
    EXPECT_EQ(decoded("junk that is nothing of the kind", name),
              "error: http: the body is not valid " + std::string(name));
    EXPECT_EQ(decoded(whole + "junk that is nothing of the kind", name),
              "error: http: the body is not valid " + std::string(name));
  }
  EXPECT_EQ(decoded("plain", "identity"), "plain");
  EXPECT_EQ(decoded("plain", ""), "plain");
  EXPECT_EQ(decoded("x", "br"), "refused: http: content encoding \"br\" is not supported");
  EXPECT_EQ(decoded("x", "gzip, gzip"),
            "refused: http: content encoding \"gzip, gzip\" is not supported");
}

TEST(http_decompression, a_bomb_stops_at_the_limit) {
  const std::string zeros(64 << 20, '\0');
  for (const coding c : {coding::gzip, coding::zstd}) {
    const std::string bomb = encoded(zeros, c);
    EXPECT_LT(bomb.size(), 500'000U);
    const std::string_view name = weft::rt::coding_name(c);
    EXPECT_EQ(decoded(bomb, name, 1000),
              "error: more than 1000 bytes decoded: http: body too large");
    weft::result<body> b = decode_body(body(bomb), name, 100'000);
    ASSERT_TRUE(b);
    char piece[4096];
    size_t sum = 0;
    for (;;) {
      const weft::result<size_t> got = b->read(piece);
      if (!got) {
        EXPECT_TRUE(got.error().is(body_too_large));
        break;
      }
      sum += *got;
    }
    EXPECT_LE(sum, 100'000U);
  }
  EXPECT_EQ(decoded(encoded("exactly", coding::gzip), "gzip", 7), "exactly");
}

TEST(http_decompression, requests) {
  const handler h = chain(
      [](response_writer& w, request& r) {
        EXPECT_FALSE(r.headers.has("Content-Encoding"));
        const weft::result<std::string> all = r.body.read_all();
        (void)w.write(all ? *all : all.error().message());
      },
      {decompression(1000)});
  request r =
      make_request("POST", "/", {{"Content-Encoding", "gzip"}}, encoded("hello", coding::gzip));
  recorder w;
  h(w, r);
  EXPECT_EQ(w.body, "hello");
  r = make_request("POST", "/", {{"Content-Encoding", "br"}}, "x");
  recorder refused;
  h(refused, r);
  EXPECT_EQ(refused.status(), 415);
  EXPECT_EQ(refused.sent.get("Accept-Encoding"), "gzip, zstd");
  r = make_request("POST", "/", {{"Content-Encoding", "gzip"}},
                   encoded(std::string(2000, 'x'), coding::gzip));
  recorder bomb;
  h(bomb, r);
  EXPECT_EQ(bomb.body, "more than 1000 bytes decoded: http: body too large");
}

}  // namespace
