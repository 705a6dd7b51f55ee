// SPDX-License-Identifier: Apache-2.0
// URLs: RFC 3986's vectors, what Go's net/url does, and what the strict door refuses.
#include "weft/http/url.hpp"

#include <gtest/gtest.h>

#include <string>

#include "weft/base/random.hpp"

namespace {

using namespace weft;
using http::url;

url parsed(std::string_view text) {
  result<url> got = url::parse(text);
  EXPECT_TRUE(got) << got.error().message();
  return got ? std::move(*got) : url{};
}

std::string why_not(std::string_view text) {
  const result<url> got = url::parse(text);
  return got ? "(parsed)" : got.error().message();
}

std::string why_no_target(std::string_view text) {
  url out;
  const result<void> got = url::parse_target(text, out);
  return got ? "(parsed)" : got.error().message();
}

TEST(url, parts) {
  const url u = parsed("HTTP://us%20er:p@Example.org:8080/a%20b/c?x=1&y=%20#frag%21");
  EXPECT_EQ(u.scheme, "http");
  EXPECT_EQ(u.user, "us%20er:p");
  EXPECT_EQ(u.host, "Example.org:8080");
  EXPECT_EQ(u.hostname(), "Example.org");
  EXPECT_EQ(u.port(), 8080);
  EXPECT_EQ(u.path, "/a b/c");
  EXPECT_EQ(u.raw_path, "");
  EXPECT_EQ(u.query, "x=1&y=%20");
  EXPECT_EQ(u.fragment, "frag!");
  EXPECT_EQ(u.target(), "/a%20b/c?x=1&y=%20");
  EXPECT_EQ(u.string(), "http://us%20er:p@Example.org:8080/a%20b/c?x=1&y=%20#frag!");
}

TEST(url, ports_and_hosts) {
  EXPECT_EQ(parsed("http://a").port(), 80);
  EXPECT_EQ(parsed("https://a").port(), 443);
  EXPECT_EQ(parsed("ws://a/").port(), 80);
  EXPECT_EQ(parsed("ftp://a/").port(), 0);
  EXPECT_EQ(parsed("http://a:/").port(), 80);
  EXPECT_EQ(parsed("http://[::1]:81/").port(), 81);
  EXPECT_EQ(parsed("http://[::1]:81/").hostname(), "::1");
  EXPECT_EQ(parsed("http://[::1]/").port(), 80);
  EXPECT_EQ(parsed("http://[fe80::1%25eth0]/").host, "[fe80::1%25eth0]");
  EXPECT_EQ(parsed("http://a").target(), "/");
  EXPECT_EQ(parsed("http://a?q").target(), "/?q");
  EXPECT_EQ(parsed("http://a?").target(), "/?");
}

TEST(url, refused) {
  EXPECT_EQ(why_not("http://a/%zz"), "parse \"http://a/%zz\": invalid URL escape");
  EXPECT_EQ(why_not("http://a/%4"), "parse \"http://a/%4\": invalid URL escape");
  EXPECT_EQ(why_not("http://a/#%4"), "parse \"http://a/#%4\": invalid URL escape");
  EXPECT_EQ(why_not("http://a/\nb"), "parse \"http://a/\\x0ab\": invalid control character in URL");
  EXPECT_EQ(why_not(":x"), "parse \":x\": missing protocol scheme");
  EXPECT_EQ(why_not("1a:b"), "parse \"1a:b\": first path segment in URL cannot contain colon");
  EXPECT_EQ(why_not("http://a:b/"), "parse \"http://a:b/\": invalid port after host");
  EXPECT_EQ(why_not("http://a:1:2/"), "parse \"http://a:1:2/\": invalid port after host");
  EXPECT_EQ(why_not("http://a:65536/"), "parse \"http://a:65536/\": port out of range");
  EXPECT_EQ(why_not("http://[::1/"), "parse \"http://[::1/\": missing ']' in host");
  EXPECT_EQ(why_not("http://[::g]/"), "parse \"http://[::g]/\": invalid IPv6 address");
  EXPECT_EQ(why_not("http://[1.2.3.4]/"), "parse \"http://[1.2.3.4]/\": invalid IPv6 address");
  EXPECT_EQ(why_not("http://[::1]x/"), "parse \"http://[::1]x/\": invalid port after host");
  EXPECT_EQ(why_not("http://a b/"), "parse \"http://a b/\": invalid character in host name");
  EXPECT_EQ(why_not("http://a%20b/"), "parse \"http://a%20b/\": invalid character in host name");
  EXPECT_EQ(why_not("http://a\\b/"), "parse \"http://a\\\\b/\": invalid character in host name");
  EXPECT_EQ(why_not("http://ä/").ends_with("invalid character in host name"), true);
  EXPECT_EQ(why_not("http://u:p@a@b/"), "parse \"http://u:p@a@b/\": invalid userinfo");
  EXPECT_EQ(why_not("http://u\"@a/"), "parse \"http://u\\\"@a/\": invalid userinfo");
}

TEST(url, long_texts_are_cut_in_messages) {
  const std::string message = why_not("http://a/%" + std::string(100000, 'x'));
  EXPECT_LT(message.size(), 400u);
}

TEST(url, what_people_write_is_escaped) {
  const url u = parsed("http://a/b c/ü\"?q=x y&z=ü");
  EXPECT_EQ(u.path, "/b c/ü\"");
  EXPECT_EQ(u.target(), "/b%20c/%C3%BC\"?q=x%20y&z=%C3%BC");
  EXPECT_EQ(parsed(u.string()).string(), u.string());
}

TEST(url, raw_path_only_if_it_says_more) {
  EXPECT_EQ(parsed("http://a/b%2Fc").path, "/b/c");
  EXPECT_EQ(parsed("http://a/b%2Fc").raw_path, "/b%2Fc");
  EXPECT_EQ(parsed("http://a/b%2Fc").target(), "/b%2Fc");
  EXPECT_EQ(parsed("http://a/b%20c").raw_path, "");
  EXPECT_EQ(parsed("http://a/!$&'()*+,;=:@").raw_path, "");
  EXPECT_EQ(parsed("http://a/%41").raw_path, "/%41");
  EXPECT_EQ(parsed("http://a/%41").path, "/A");
}

TEST(url, as_written_again) {
  for (const std::string_view text :
       {"http://a", "http://a/", "http://a/b?c#d", "https://u@h:1/p", "/p?q", "p/q", "?q", "#f", "",
        "file:///etc/x", "mailto:a@b", "//host/p", "///p", "http://a/?", "http:////x", "*",
        "http://a/b%2Fc%41?%zz", "http://[fe80::1%25e]:1/", "./a:b"})
    EXPECT_EQ(parsed(text).string(), text);
  url u;
  u.path = "//host";
  EXPECT_EQ(u.string(), "/.//host");
  EXPECT_EQ(u.target(), "//host");
  u.path = "a:b";
  EXPECT_EQ(u.string(), "./a:b");
}

TEST(url, nothing_escapes_a_request_line) {
  url u;
  u.scheme = "http";
  u.host = "a";
  u.path = "/x\r\nHost: b";
  u.query = "y z\r\n#";
  EXPECT_EQ(u.target(), "/x%0D%0AHost:%20b?y%20z%0D%0A%23");
  u.raw_path = "/r\r\n s";
  EXPECT_EQ(u.target(), "/r%0D%0A%20s?y%20z%0D%0A%23");
}

// RFC 3986 5.4.1 and 5.4.2 (strict).
TEST(url, references) {
  const url base = parsed("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> vectors[] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
      {"http:g", "http:g"},
      // Escapes survive.
      {"../x%2Fy?", "http://a/b/x%2Fy?"},
  };
  for (const auto& [reference, wanted] : vectors) {
    const result<url> got = base.resolve(reference);
    ASSERT_TRUE(got) << reference << ": " << got.error().message();
    EXPECT_EQ(got->string(), wanted) << "of " << reference;
  }
  EXPECT_EQ(parsed("http://a").resolve("g")->string(), "http://a/g");
  EXPECT_EQ(parsed("http://u:p@a/x").resolve("/g")->user, "u:p");
  EXPECT_EQ(parsed("http://u:p@a/x").resolve("//b/g")->user, "");
  EXPECT_FALSE(base.resolve("%zz"));
}

TEST(url, targets) {
  url u;
  ASSERT_TRUE(url::parse_target("/a%20b/%2F?x=%zz&y", u));
  EXPECT_EQ(u.path, "/a b//");
  EXPECT_EQ(u.raw_path, "/a%20b/%2F");
  EXPECT_EQ(u.query, "x=%zz&y");
  EXPECT_EQ(u.target(), "/a%20b/%2F?x=%zz&y");
  ASSERT_TRUE(url::parse_target("//evil/x", u));
  EXPECT_EQ(u.path, "//evil/x");
  EXPECT_EQ(u.host, "");
  EXPECT_EQ(u.query, "") << "everything of before is gone";
  EXPECT_EQ(u.target(), "//evil/x");
  ASSERT_TRUE(url::parse_target("http://h:8/p?q", u));
  EXPECT_EQ(u.host, "h:8");
  EXPECT_EQ(u.path, "/p");
  ASSERT_TRUE(url::parse_target("*", u));
  EXPECT_EQ(u.path, "*");
  ASSERT_TRUE(url::parse_target("/?", u));
  EXPECT_TRUE(u.bare_query);
}

TEST(url, targets_refused) {
  EXPECT_EQ(why_no_target(""), "parse \"\": empty url");
  EXPECT_EQ(why_no_target("/%"), "parse \"/%\": invalid URL escape");
  EXPECT_EQ(why_no_target("/%00"), "parse \"/%00\": NUL in path");
  EXPECT_EQ(why_no_target("/a b"), "parse \"/a b\": space in a request's target");
  EXPECT_EQ(why_no_target("/a#b"), "parse \"/a#b\": fragment in a request's target");
  EXPECT_EQ(why_no_target("/a\tb"), "parse \"/a\\x09b\": invalid control character in URL");
  EXPECT_EQ(why_no_target("/a\x7F"), "parse \"/a\\x7f\": invalid control character in URL");
  EXPECT_TRUE(why_no_target("/ü").ends_with("byte beyond ASCII in a request's target"));
  for (const char* text : {"a", "a/b", "?q", "host:80", "ftp://a/", "http:/a", "http:a", "**"})
    EXPECT_TRUE(why_no_target(text).ends_with("invalid URI for request")) << text;
  EXPECT_TRUE(why_no_target("http://u@a/").ends_with("userinfo in a request's target"));
  EXPECT_TRUE(why_no_target("http:///p").ends_with("no host in URL"));
  EXPECT_TRUE(why_no_target("http://:80/p").ends_with("no host in URL"));
}

TEST(url, queries) {
  const auto q = http::query_values::parse("a=1&b=x+y%21&a=2&c&=d&e=%zz&f;g=1&&h=%3B");
  EXPECT_EQ(q.get("a"), "1");
  EXPECT_EQ(q.values("a"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(q.get("b"), "x y!");
  EXPECT_TRUE(q.has("c"));
  EXPECT_EQ(q.get(""), "d");
  EXPECT_FALSE(q.has("e"));
  EXPECT_FALSE(q.has("f"));
  EXPECT_EQ(q.get("h"), ";");
  EXPECT_EQ(q.encode(), "a=1&b=x+y%21&a=2&c=&=d&h=%3B");
  http::query_values made;
  made.add("k", "v w");
  made.add("k", "&=");
  EXPECT_EQ(made.encode(), "k=v+w&k=%26%3D");
  made.set(made.pairs()[0].first, "one");
  EXPECT_EQ(made.encode(), "k=one");
  made.erase(made.pairs()[0].first);
  EXPECT_TRUE(made.empty());
}

TEST(url, escapes) {
  EXPECT_EQ(http::path_escape("a b/c?d;e%+ü"), "a%20b%2Fc%3Fd%3Be%25+%C3%BC");
  EXPECT_EQ(http::query_escape("a b/c?d&e%+"), "a+b%2Fc%3Fd%26e%25%2B");
  EXPECT_EQ(http::path_unescape("a%20b+c"), "a b+c");
  EXPECT_EQ(http::query_unescape("a%20b+c"), "a b c");
  EXPECT_EQ(http::path_unescape("%"), std::nullopt);
  EXPECT_EQ(http::path_unescape("%g0"), std::nullopt);
}

TEST(url, clean_paths) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", "/"},          {"/", "/"},          {"a", "/a"},        {"/a/", "/a/"},
      {"//a//b", "/a/b"}, {"/a/../b", "/b"},   {"/../../x", "/x"}, {"/a/./b/.", "/a/b"},
      {"/a/..", "/"},     {"/a/b/../", "/a/"}, {"/...", "/..."},   {"/.a/..b", "/.a/..b"},
  };
  for (const auto& [path, wanted] : vectors) EXPECT_EQ(http::clean_path(path), wanted) << path;
}

// Whatever parses prints as something that parses to the same.
TEST(url, seeded_texts) {
  constexpr std::string_view pieces[] = {
      "http", ":",  "//", "/", "a",  "%2F", "%zz", "%", "?", "#",  "@",   "[",   "::1", "]", ".",
      "..",   "80", " ",  "ü", "\"", ";",   "=",   "&", "+", "\\", "%41", "%00", "\r",  "*"};
  rt::random_source random{7};
  size_t good = 0;
  for (int round = 0; round < 200000; ++round) {
    std::string text = random.below(2) == 0 ? "http://h/" : "";
    for (uint32_t n = random.below(9); n > 0; --n) text += pieces[random.below(std::size(pieces))];
    url target;
    if (url::parse_target(text, target)) {
      EXPECT_TRUE(url::parse_target(target.target(), target)) << text;
    }
    const result<url> once = url::parse(text);
    if (!once) continue;
    ++good;
    const std::string printed = once->string();
    const result<url> twice = url::parse(printed);
    ASSERT_TRUE(twice) << text << " -> " << printed << ": " << twice.error().message();
    ASSERT_EQ(twice->string(), printed) << text;
    ASSERT_EQ(twice->host, once->host) << text;
    ASSERT_EQ(twice->query, once->query) << text;
    for (const char c : once->target()) ASSERT_TRUE(c > ' ' && c < 0x7F) << text;
    (void)once->resolve("../x");
    (void)parsed("http://a/b").resolve(printed);
  }
  EXPECT_GT(good, 20000u);
}

}  // namespace
