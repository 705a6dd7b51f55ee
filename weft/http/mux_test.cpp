// SPDX-License-Identifier: Apache-2.0
// Patterns: which of several wins, which may not stand together, and what is answered without one.
#include "weft/http/mux.hpp"

#include <gtest/gtest.h>

#include "weft/base/panic.hpp"
#include "weft/http/internal/mux_pattern.hpp"

namespace {

using weft::http::mux;
using weft::http::request;
using weft::http::response_writer;

void nothing(response_writer&, request&) {}

request asked(std::string_view method, std::string_view target, std::string_view host = "h") {
  request r;
  r.method = method;
  r.host = host;
  EXPECT_TRUE(weft::http::url::parse_target(target, r.url)) << target;
  return r;
}

/// Keeps what a mux answers.
class recorder final : public response_writer {
 public:
  weft::http::header& headers() override { return fields; }
  void write_head(int s) override { code = code == 0 ? s : code; }
  weft::result<size_t> write(std::string_view content) override {
    if (code == 0) code = 200;
    text += content;
    return content.size();
  }
  weft::result<void> flush() override { return {}; }
  weft::http::header& trailers() override { return after; }
  int status() const noexcept override { return code; }
  weft::result<weft::http::hijacked> hijack() override {
    return weft::fail(weft::http::not_hijackable);
  }
  weft::result<void> set_read_deadline(weft::net::time_point) override { return {}; }
  weft::result<void> set_write_deadline(weft::net::time_point) override { return {}; }

  weft::http::header fields;
  weft::http::header after;
  std::string text;
  int code = 0;
};

TEST(Mux, TheMoreSpecificWins) {
  mux m;
  for (const char* pattern : {"/", "GET /{$}", "/a/", "/a/b", "/a/{x}", "/b/{x}/c",
                              "/a/b/{rest...}", "GET /a/b", "POST /a/b", "/d/{$}", "h.example/a/b",
                              "/files/{path...}", "/esc/a%20b", "HEAD /head", "GET /head"})
    m.handle(pattern, nothing);
  const auto match = [&](const char* method, const char* target, const char* host = "h") {
    return std::string(m.match(asked(method, target, host)));
  };
  EXPECT_EQ(match("GET", "/"), "GET /{$}");
  EXPECT_EQ(match("HEAD", "/"), "GET /{$}");
  EXPECT_EQ(match("POST", "/"), "/");
  EXPECT_EQ(match("GET", "/a/b"), "GET /a/b");
  EXPECT_EQ(match("POST", "/a/b"), "POST /a/b");
  EXPECT_EQ(match("PUT", "/a/b"), "/a/b");
  EXPECT_EQ(match("PUT", "/a/x"), "/a/{x}");
  EXPECT_EQ(match("PUT", "/b/x/c"), "/b/{x}/c");
  EXPECT_EQ(match("PUT", "/a/b/c"), "/a/b/{rest...}");
  EXPECT_EQ(match("PUT", "/a/b/d/e"), "/a/b/{rest...}");
  EXPECT_EQ(match("PUT", "/a/x/d"), "/a/");
  EXPECT_EQ(match("PUT", "/d/"), "/d/{$}");
  EXPECT_EQ(match("PUT", "/d/x"), "/");
  EXPECT_EQ(match("PUT", "/a/b", "H.Example:80"), "h.example/a/b");
  EXPECT_EQ(match("PUT", "/esc/a%20b"), "/esc/a%20b");
  EXPECT_EQ(match("HEAD", "/head"), "HEAD /head");
}

TEST(Mux, Values) {
  mux m;
  std::string got;
  const auto keep = [&](response_writer&, request& r) {
    got = std::string(r.path_value("x")) + "|" + std::string(r.path_value("rest")) + "|" +
          std::string(r.pattern());
  };
  m.handle("/v/{x}/{rest...}", keep);
  recorder w;
  const auto serve = [&](const char* target) {
    request r = asked("GET", target);
    m(w, r);
    return got;
  };
  EXPECT_EQ(serve("/v/1/2/3"), "1|2/3|/v/{x}/{rest...}");
  EXPECT_EQ(serve("/v/1/"), "1||/v/{x}/{rest...}");
  EXPECT_EQ(serve("/v/a%2Fb/c%2Fd/e"), "a/b|c/d/e|/v/{x}/{rest...}");
  EXPECT_EQ(serve("/v/100%25/x"), "100%|x|/v/{x}/{rest...}");
}

TEST(Mux, ConflictsAndMistakesPanic) {
  const auto conflict = [](const char* a, const char* b) {
    mux m;
    m.handle(a, nothing);
    EXPECT_THROW(m.handle(b, nothing), weft::panic_error) << a << "  " << b;
  };
  conflict("/a", "/a");
  conflict("/a/{x}", "/a/{y}");
  conflict("/{x}/b", "/a/{x}");
  conflict("GET /a/{x}", "/a/b");
  conflict("/a/{x...}", "/a/");
  conflict("GET /", "/a/");
  const auto together = [](const char* a, const char* b) {
    mux m;
    m.handle(a, nothing);
    EXPECT_NO_THROW(m.handle(b, nothing)) << a << "  " << b;
  };
  together("/a/{x}", "/a/b");
  together("h/{x}/b", "/a/{x}");
  together("GET /a", "POST /a");
  together("GET /a", "HEAD /a");
  together("/a/{$}", "/a/");
  together("/{x}/b", "/a/{x}/c");
  for (const char* bad : {"", "a", "GET", "GET a", "/a{b}", "/{b}c", "/{a}/{a}", "/{a...}/b",
                          "/{$}/a", "/{}", "/{1}", "/a//b", "/../a", "G(T /", "{h}/a", "/%zz"}) {
    mux m;
    EXPECT_THROW(m.handle(bad, nothing), weft::panic_error) << bad;
  }
  mux m;
  EXPECT_THROW(m.handle("/x", nullptr), weft::panic_error);
  m.handle("/a/{x}", nothing);
  try {
    m.handle("/{x}/b", nothing);
  } catch (const weft::panic_error& e) {
    EXPECT_STREQ(e.what(),
                 "http: pattern \"/{x}/b\" conflicts with \"/a/{x}\": some requests match both, "
                 "and neither is more specific");
  }
}

TEST(Mux, WithoutAMatch) {
  mux m;
  m.handle("GET /users/{id}", nothing);
  m.handle("DELETE /users/{id}", nothing);
  m.handle("/tree/", nothing);
  const auto answer = [&](const char* method, const char* target) {
    recorder w;
    request r = asked(method, target);
    m(w, r);
    return std::to_string(w.code) + " " + std::string(w.fields.get("Allow")) +
           std::string(w.fields.get("Location"));
  };
  EXPECT_EQ(answer("GET", "/nothing"), "404 ");
  EXPECT_EQ(answer("POST", "/users/1"), "405 DELETE, GET, HEAD");
  EXPECT_EQ(answer("GET", "/tree"), "307 /tree/");
  EXPECT_EQ(answer("GET", "/tree?a=b"), "307 /tree/?a=b");
  EXPECT_EQ(answer("GET", "/tree/../users//1"), "307 /users/1");
  EXPECT_EQ(answer("GET", "/users/1"), "0 ");
}

}  // namespace
