// SPDX-License-Identifier: Apache-2.0
// Redirects, and proxies for plain requests.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "weft/http/client.hpp"
#include "weft/http/client_testing.hpp"
#include "weft/http/proxy.hpp"
#include "weft/sched/run.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using http::client;
using http::client_options;
using http::response;
using http::url;

const context bg = background();

/// "/STATUS/..." redirects to the rest of the path, or to what "?to=" says; all else is shown.
void redirecting(script_conn& c, int) {
  seen_request r;
  while (c.read_request(r)) {
    std::string target = r.line.substr(r.line.find(' ') + 1);
    target.resize(target.find(' '));
    if (target.size() > 4 && target[1] == '3') {
      std::string to = target.substr(4);
      if (const size_t where = to.find("?to="); where != std::string::npos)
        to = *http::query_unescape(to.substr(where + 4));
      c.say("HTTP/1.1 " + target.substr(1, 3) + " Moved\r\nLocation: " + to +
            "\r\nContent-Length: 5\r\n\r\nmoved");
      continue;
    }
    std::string shown = r.line + '|' + r.body;
    for (const char* name : {"Authorization", "Cookie", "Content-Type", "Referer", "X-A"})
      if (r.headers.has(name))
        shown += std::string("|") + name + '=' + std::string(r.headers.get(name));
    c.ok(shown);
  }
}

http::request with_all(const char* method, const std::string& where, http::body content = {}) {
  http::request r(method, where, std::move(content));
  r.headers.set("Authorization", "secret");
  r.headers.set("Cookie", "a=1");
  r.headers.set("Content-Type", "text/x");
  r.headers.set("X-A", "1");
  return r;
}

TEST(http_client_redirect, methods_and_bodies) {
  weft::run([] {
    script_server server(redirecting);
    const client c;
    const auto went = [&](const char* method, int status, http::body content = {}) {
      http::request r(method, server.url("/" + std::to_string(status) + "/x"), std::move(content));
      r.headers.set("Content-Type", "text/x");
      std::string got = text_of(c.send(std::move(r)));
      const size_t referer = got.find("|Referer=");
      EXPECT_EQ(got.substr(referer + 9), server.url("/" + std::to_string(status) + "/x"));
      return got.substr(0, referer);
    };
    for (const int status : {301, 302, 303}) {
      EXPECT_EQ(went("GET", status), "GET /x HTTP/1.1||Content-Type=text/x");
      EXPECT_EQ(went("POST", status, "b"), "GET /x HTTP/1.1|");
      EXPECT_EQ(went("PUT", status, "b"), "GET /x HTTP/1.1|");
      EXPECT_EQ(went("DELETE", status), "GET /x HTTP/1.1|");
    }
    for (const int status : {307, 308}) {
      EXPECT_EQ(went("GET", status), "GET /x HTTP/1.1||Content-Type=text/x");
      EXPECT_EQ(went("POST", status, "b"), "POST /x HTTP/1.1|b|Content-Type=text/x");
      EXPECT_EQ(went("DELETE", status), "DELETE /x HTTP/1.1||Content-Type=text/x");
    }
    EXPECT_EQ(server.accepted(), 1);
    // The body cannot be had again: the redirect is the answer.
    result<response> r =
        c.send(http::request("POST", server.url("/307/x"),
                             http::body(std::make_unique<pieces>(std::vector<std::string>{"b"}))));
    EXPECT_EQ(r->status, 307);
    EXPECT_EQ(text_of(r), "moved");
    // But for 303 nothing is sent again.
    r = c.send(http::request("POST", server.url("/303/x"),
                             http::body(std::make_unique<pieces>(std::vector<std::string>{"b"}))));
    EXPECT_TRUE(text_of(r).starts_with("GET /x"));
    EXPECT_EQ(r->url.path, "/x");
  });
}

TEST(http_client_redirect, secrets_stay_with_their_origin) {
  weft::run([] {
    script_server server(redirecting);
    script_server other(redirecting);
    const client c;
    EXPECT_EQ(text_of(c.send(with_all("GET", server.url("/302/x")))),
              "GET /x HTTP/1.1||Authorization=secret|Cookie=a=1|Content-Type=text/x|Referer=" +
                  server.url("/302/x") + "|X-A=1");
    const std::string away = server.url("/302/?to=" + http::query_escape(other.url("/y")));
    EXPECT_EQ(text_of(c.send(with_all("GET", away))),
              "GET /y HTTP/1.1||Content-Type=text/x|Referer=" + away + "|X-A=1");
    // There and back: they stay away.
    const std::string back = server.url(
        "/302/?to=" +
        http::query_escape(other.url("/302/?to=" + http::query_escape(server.url("/z")))));
    const std::string got = text_of(c.send(with_all("GET", back)));
    EXPECT_TRUE(got.starts_with("GET /z HTTP/1.1||Content-Type=text/x|Referer=")) << got;
  });
}

TEST(http_client_redirect, limits_and_policy) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        if (r.line.starts_with("GET /bad"))
          c.say("HTTP/1.1 302 Found\r\nLocation: http://[::1/\r\nContent-Length: 0\r\n\r\n");
        else if (r.line.starts_with("GET /none"))
          c.say("HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nnone");
        else
          c.say("HTTP/1.1 302 Found\r\nLocation: x/\r\nContent-Length: 0\r\n\r\n");
      }
    });
    const client c;
    EXPECT_EQ(message_of(c.get(bg, server.url())),
              "Get \"" + server.url("/x/x/x/x/x/x/x/x/x/x/") + "\": stopped after 10 redirects");
    EXPECT_EQ(message_of(c.get(bg, server.url("/bad"))),
              "Get \"" + server.url("/bad") +
                  "\": http: the Location of the response is no URL: parse \"http://[::1/\": "
                  "missing ']' in host");
    EXPECT_EQ(text_of(c.get(bg, server.url("/none"))), "none");
    client_options options;
    options.redirect = [](const http::request& next, std::span<const url> made) -> result<void> {
      EXPECT_EQ(made.front().path, "/");
      if (next.url.path == "/x/x/") return fail(http::use_last_response);
      return {};
    };
    const result<response> last = client(options).get(bg, server.url());
    ASSERT_TRUE(last);
    EXPECT_EQ(last->status, 302);
    EXPECT_EQ(last->url.path, "/x/");
    options.redirect = [](const http::request&, std::span<const url>) -> result<void> {
      return fail(error("not here"));
    };
    EXPECT_EQ(message_of(client(options).get(bg, server.url())),
              "Get \"" + server.url() + "\": not here");
  });
}

TEST(http_client_proxy, plain_requests) {
  weft::run([] {
    last_seen last;
    script_server proxy(answer_ok(last));
    client_options options;
    options.proxy = http::fixed_proxy(*url::parse("http://u:p@" + proxy.address()));
    const client c(options);
    EXPECT_EQ(text_of(c.get(bg, "http://far.example/x?y=1")), "ok");
    EXPECT_EQ(last.get().line, "GET http://far.example/x?y=1 HTTP/1.1");
    EXPECT_EQ(last.get().headers.get("Host"), "far.example");
    EXPECT_EQ(last.get().headers.get("Proxy-Authorization"), "Basic dTpw");
    // Connections to a proxy serve all plain hosts.
    EXPECT_EQ(text_of(c.get(bg, "http://else.example:81/")), "ok");
    EXPECT_EQ(last.get().line, "GET http://else.example:81/ HTTP/1.1");
    EXPECT_EQ(proxy.accepted(), 1);
    // This machine is reached without it.
    EXPECT_EQ(text_of(c.get(bg, proxy.url("/direct"))), "ok");
    EXPECT_EQ(last.get().line, "GET /direct HTTP/1.1");
    EXPECT_FALSE(last.get().headers.has("Proxy-Authorization"));
  });
}

TEST(http_client_proxy, a_tunnel_that_is_refused) {
  weft::run([] {
    last_seen last;
    script_server proxy([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_head(r)) return;
      last.set(r);
      c.say("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    });
    client_options options;
    options.proxy = http::fixed_proxy(*url::parse("http://u:p@" + proxy.address()));
    EXPECT_EQ(message_of(client(options).get(bg, "https://far.example/")),
              "Get \"https://far.example/\": proxyconnect: proxy said 407 Proxy Authentication "
              "Required");
    EXPECT_EQ(last.get().line, "CONNECT far.example:443 HTTP/1.1");
    EXPECT_EQ(last.get().headers.get("Proxy-Authorization"), "Basic dTpw");
  });
}

TEST(http_proxy, exceptions) {
  const auto passes = [](std::string_view list, const char* where) {
    return http::bypasses_proxy(list, *url::parse(where));
  };
  EXPECT_TRUE(passes("", "http://localhost:8080/"));
  EXPECT_TRUE(passes("", "http://127.1.2.3/"));
  EXPECT_TRUE(passes("", "http://[::1]/"));
  EXPECT_FALSE(passes("", "http://example.org/"));
  EXPECT_TRUE(passes("*", "http://example.org/"));
  EXPECT_TRUE(passes("a.b, Example.org", "http://example.ORG/"));
  EXPECT_TRUE(passes("example.org", "http://www.example.org/"));
  EXPECT_FALSE(passes("example.org", "http://badexample.org/"));
  EXPECT_FALSE(passes(".example.org", "http://example.org/"));
  EXPECT_TRUE(passes(".example.org", "http://www.example.org/"));
  EXPECT_TRUE(passes("*.example.org", "http://www.example.org/"));
  EXPECT_TRUE(passes("example.org:81", "http://example.org:81/"));
  EXPECT_FALSE(passes("example.org:81", "http://example.org/"));
  EXPECT_TRUE(passes("example.org:80", "http://example.org/"));
  EXPECT_TRUE(passes("10.0.0.0/8", "http://10.200.1.1/"));
  EXPECT_FALSE(passes("10.0.0.0/9", "http://10.200.1.1/"));
  EXPECT_TRUE(passes("10.1.2.3", "http://10.1.2.3/"));
  EXPECT_TRUE(passes("fd00::/8", "http://[fd12::1]/"));
  EXPECT_TRUE(passes("[fd12::1]:80", "http://[fd12::1]/"));
  EXPECT_FALSE(passes("10.0.0.0/x, 1/2/3, /", "http://10.1.2.3/"));
}

TEST(http_proxy, environment) {
  for (const char* name :
       {"http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"})
    ::unsetenv(name);
  ::setenv("HTTP_PROXY", "proxy.example:3128", 1);
  ::setenv("no_proxy", "near.example", 1);
  const url far = *url::parse("http://far.example/");
  http::proxy_function f = http::proxy_from_environment();
  EXPECT_EQ((*f(far))->string(), "http://proxy.example:3128");
  EXPECT_FALSE(*f(*url::parse("https://far.example/")));
  EXPECT_FALSE(*f(*url::parse("http://near.example/")));
  ::setenv("http_proxy", "http://lower.example", 1);
  f = http::proxy_from_environment();
  EXPECT_EQ((*f(far))->string(), "http://lower.example");
  ::setenv("REQUEST_METHOD", "GET", 1);
  f = http::proxy_from_environment();
  EXPECT_FALSE(f(far));
  ::unsetenv("REQUEST_METHOD");
  ::setenv("http_proxy", "socks5://x", 1);
  f = http::proxy_from_environment();
  EXPECT_EQ(f(far).error().message(), "http: proxies speak http or https, not \"socks5\"");
  for (const char* name : {"http_proxy", "HTTP_PROXY", "no_proxy"}) ::unsetenv(name);
}

}  // namespace
