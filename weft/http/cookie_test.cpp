// SPDX-License-Identifier: Apache-2.0
// Cookies: written strictly, read leniently, kept for whom they are.
#include "weft/http/cookie.hpp"

#include <gtest/gtest.h>

#include "weft/http/cookie_jar.hpp"
#include "weft/http/internal/cookie_date.hpp"

namespace {

using namespace weft::http;
using namespace std::chrono_literals;

std::string written(const cookie& c) {
  const auto text = c.set_cookie();
  return text ? *text : "refused: " + text.error().message();
}

cookie named(std::string name, std::string value = "v") {
  cookie c;
  c.name = std::move(name);
  c.value = std::move(value);
  return c;
}

TEST(http_cookie, written) {
  EXPECT_EQ(written(named("a", "b")), "a=b");
  cookie c = named("id", "x1");
  c.path = "/app";
  c.domain = ".example.org";
  c.expires_s = 784111777;
  c.max_age = 60s;
  c.secure = c.http_only = c.partitioned = true;
  c.same_site = same_site::none;
  EXPECT_EQ(written(c),
            "id=x1; Path=/app; Domain=example.org; Expires=Sun, 06 Nov 1994 08:49:37 GMT; "
            "Max-Age=60; HttpOnly; Secure; SameSite=None; Partitioned");
  c = named("gone", "");
  c.max_age = -5s;
  EXPECT_EQ(written(c), "gone=; Max-Age=0");
}

TEST(http_cookie, what_a_client_would_read_differently_is_refused) {
  for (const char* value :
       {"a b", "a;b", "a,b", "a\"b", "a\\b", "a\r\nSet-Cookie: x=y", "\x7f", "\xc3\xa9"})
    EXPECT_NE(written(named("n", value)).find("may not stand there"), std::string::npos) << value;
  EXPECT_NE(written(named("a b")).find("no token"), std::string::npos);
  EXPECT_NE(written(named("")).find("no token"), std::string::npos);
  cookie c = named("n");
  c.path = "/a;b";
  EXPECT_NE(written(c).find("path"), std::string::npos);
  c = named("n");
  c.domain = "a_b.org";
  EXPECT_NE(written(c).find("domain"), std::string::npos);
  c = named("n");
  c.same_site = same_site::none;
  EXPECT_NE(written(c).find("needs Secure"), std::string::npos);
  c = named("__Secure-n");
  EXPECT_NE(written(c).find("needs Secure"), std::string::npos);
  c = named("__host-n");
  c.secure = true;
  c.path = "/x";
  EXPECT_NE(written(c).find("__Host-"), std::string::npos);
  c.path = "/";
  EXPECT_EQ(written(c), "__host-n=v; Path=/; Secure");
}

TEST(http_cookie, read_from_set_cookie) {
  auto c = cookie::parse_set_cookie(
      " a = b c ; PATH=/x ; domain=.Example.ORG; Max-Age=7; secure; HttpOnly; samesite=LAX; "
      "other=1");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->name, "a");
  EXPECT_EQ(c->value, "b c");
  EXPECT_EQ(c->path, "/x");
  EXPECT_EQ(c->domain, "example.org");
  EXPECT_EQ(c->max_age, 7s);
  EXPECT_TRUE(c->secure && c->http_only);
  EXPECT_EQ(c->same_site, same_site::lax);
  c = cookie::parse_set_cookie("a=b; Max-Age=soon; Path=x; Expires=never");
  ASSERT_TRUE(c);
  EXPECT_FALSE(c->max_age || c->expires_s);
  EXPECT_EQ(c->path, "");
  EXPECT_FALSE(cookie::parse_set_cookie("novalue"));
  EXPECT_FALSE(cookie::parse_set_cookie("=v"));
  EXPECT_FALSE(cookie::parse_set_cookie("a=b\n"));
  EXPECT_EQ(cookie::parse_set_cookie("a=b; Max-Age=99999999999999999999")->max_age->count(),
            INT64_MAX);
}

TEST(http_cookie, of_a_request) {
  const header h{{"Cookie", "a=1; b=\"two\"; bad name=x; c; d=; a=3"}, {"cookie", "e=5"}};
  const std::vector<cookie> all = cookies_of(h);
  std::string text;
  for (const cookie& c : all) text += c.name + "=" + c.value + "|";
  EXPECT_EQ(text, "a=1|b=two|d=|a=3|e=5|");
  EXPECT_EQ(cookie_value(h, "a"), "1");
  EXPECT_FALSE(cookie_value(h, "none"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "x=1;";
  EXPECT_EQ(cookies_of({{"Cookie", many}}).size(), 300U);
}

TEST(http_cookie, dates_in_any_order) {
  constexpr int64_t then = 784111777;
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "06 Nov 94 8:49:37", "1994 8:49:37 6 November"})
    EXPECT_EQ(weft::rt::parse_cookie_date(text), then) << text;
  for (const char* text : {"", "Sun, 06 Nov 1994", "06 Nov 1994 24:00:00", "31 Feb 1994 08:49:37",
                           "06 Nov 1500 08:49:37", "06 Nox 1994 08:49:37", "123 Nov 1994 08:49:37"})
    EXPECT_FALSE(weft::rt::parse_cookie_date(text)) << text;
}

url at(std::string_view text) { return url::parse(text).value(); }

/// What a jar that saw `fields` from `from` sends to `to`.
std::string sent(std::string_view from, std::vector<std::string_view> fields, std::string_view to,
                 cookie_jar_options options = {}) {
  cookie_jar jar(std::move(options));
  jar.store(at(from), fields);
  return jar.cookies_for(at(to));
}

TEST(http_cookie_jar, domains) {
  const char* const from = "http://www.example.org/";
  EXPECT_EQ(sent(from, {"a=1"}, "http://www.example.org/"), "a=1");
  EXPECT_EQ(sent(from, {"a=1"}, "http://WWW.example.org:8080/"), "a=1");
  EXPECT_EQ(sent(from, {"a=1"}, "http://sub.www.example.org/"), "");
  EXPECT_EQ(sent(from, {"a=1"}, "http://example.org/"), "");
  EXPECT_EQ(sent(from, {"a=1; Domain=example.org"}, "http://other.example.org/"), "a=1");
  EXPECT_EQ(sent(from, {"a=1; Domain=.EXAMPLE.org"}, "http://example.org/"), "a=1");
  EXPECT_EQ(sent(from, {"a=1; Domain=example.org"}, "http://badexample.org/"), "");
  EXPECT_EQ(sent(from, {"a=1; Domain=other.org"}, "http://other.org/"), "");
  EXPECT_EQ(sent(from, {"a=1; Domain=sub.www.example.org"}, "http://sub.www.example.org/"), "");
  EXPECT_EQ(sent(from, {"a=1; Domain=org"}, "http://www.example.org/"), "");
  EXPECT_EQ(sent("http://localhost/", {"a=1; Domain=localhost"}, "http://localhost/"), "a=1");
  EXPECT_EQ(sent("http://127.0.0.1/", {"a=1"}, "http://127.0.0.1/"), "a=1");
  EXPECT_EQ(sent("http://127.0.0.1/", {"a=1; Domain=0.0.1"}, "http://127.0.0.1/"), "");
  const auto suffix = [](std::string_view domain) { return domain == "co.uk"; };
  EXPECT_EQ(sent("http://a.co.uk/", {"a=1; Domain=co.uk"}, "http://b.co.uk/",
                 {.is_public_suffix = suffix}),
            "");
}

TEST(http_cookie_jar, paths_and_order) {
  const char* const from = "http://h.org/dir/page";
  EXPECT_EQ(sent(from, {"a=1"}, "http://h.org/dir/other"), "a=1");
  EXPECT_EQ(sent(from, {"a=1"}, "http://h.org/dir"), "a=1");
  EXPECT_EQ(sent(from, {"a=1"}, "http://h.org/directory"), "");
  EXPECT_EQ(sent(from, {"a=1"}, "http://h.org/"), "");
  EXPECT_EQ(sent(from, {"a=1; Path=/x"}, "http://h.org/x/y"), "a=1");
  EXPECT_EQ(sent(from, {"a=1; Path=/x/"}, "http://h.org/x"), "");
  EXPECT_EQ(sent(from, {"a=1; Path=/", "b=2; Path=/dir/sub", "c=3; Path=/dir", "d=4; Path=/dir"},
                 "http://h.org/dir/sub/x"),
            "b=2; c=3; d=4; a=1");
  // The same name, path and domain is the same cookie, and keeps its place.
  EXPECT_EQ(sent(from, {"a=1", "b=2", "a=3"}, from), "a=3; b=2");
}

TEST(http_cookie_jar, secure_ones) {
  EXPECT_EQ(sent("https://h.org/", {"a=1; Secure"}, "https://h.org/"), "a=1");
  EXPECT_EQ(sent("https://h.org/", {"a=1; Secure"}, "http://h.org/"), "");
  EXPECT_EQ(sent("http://h.org/", {"a=1; Secure"}, "https://h.org/"), "");
  EXPECT_EQ(sent("https://h.org/", {"__Host-a=1; Secure; Path=/"}, "https://h.org/"), "__Host-a=1");
  EXPECT_EQ(sent("https://h.org/", {"__Host-a=1; Secure"}, "https://h.org/"), "");
  EXPECT_EQ(sent("https://h.org/", {"__Secure-a=1"}, "https://h.org/"), "");
  cookie_jar jar;
  jar.store(at("https://h.org/"), std::vector<std::string_view>{"a=tls; Secure"});
  jar.store(at("http://h.org/"), std::vector<std::string_view>{"a=plain"});
  EXPECT_EQ(jar.cookies_for(at("https://h.org/")), "a=tls");
}

TEST(http_cookie_jar, time_and_limits) {
  int64_t now = 1000;
  cookie_jar jar({.cookies_per_domain_max = 3, .cookies_max = 5, .now = [&] { return now; }});
  const auto store = [&](std::string_view from, std::string_view field) {
    jar.store(at(from), std::vector<std::string_view>{field});
  };
  store("http://h.org/", "a=1; Max-Age=10");
  store("http://h.org/", "b=1; Expires=Thu, 01 Jan 1970 00:20:00 GMT");
  now = 1009;
  EXPECT_EQ(jar.cookies_for(at("http://h.org/")), "a=1; b=1");
  now = 1010;
  EXPECT_EQ(jar.cookies_for(at("http://h.org/")), "b=1");
  now = 1200;
  EXPECT_EQ(jar.cookies_for(at("http://h.org/")), "");
  store("http://h.org/", "a=1");
  store("http://h.org/", "a=; Max-Age=0");
  EXPECT_TRUE(jar.all().empty());
  for (const char* field : {"a=1", "b=1", "c=1", "d=1"}) store("http://h.org/", field);
  EXPECT_EQ(jar.cookies_for(at("http://h.org/")), "b=1; c=1; d=1");
  for (const char* field : {"x=1", "y=1", "z=1"}) store("http://g.org/", field);
  EXPECT_EQ(jar.all().size(), 5U);
  EXPECT_EQ(jar.cookies_for(at("http://h.org/")), "c=1; d=1");
  store("http://f.org/", "big=" + std::string(5000, 'x'));
  EXPECT_EQ(jar.cookies_for(at("http://f.org/")), "");
  jar.clear();
  EXPECT_TRUE(jar.all().empty());
}

}  // namespace
