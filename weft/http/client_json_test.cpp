// SPDX-License-Identifier: Apache-2.0
// Structs over HTTP.
#include "weft/http/client_json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weft/http/client_testing.hpp"
#include "weft/sched/run.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;

struct item {
  std::string sku;
  int count = 0;
};

TEST(http_client_json, structs) {
  weft::run([] {
    last_seen last;
    script_server server([&](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        last.set(r);
        if (r.line.starts_with("GET /none"))
          c.say("HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\nno item\n");
        else if (r.line.starts_with("GET /bad"))
          c.ok(R"({"sku":"a","count":"many"})");
        else
          c.ok(R"({"sku":"a1","count":2})");
      }
    });
    const http::client c;
    const context bg = background();
    const result<item> got = http::get_json<item>(c, bg, server.url());
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->sku, "a1");
    EXPECT_EQ(got->count, 2);
    EXPECT_EQ(last.get().headers.get("Accept"), "application/json");
    const result<item> posted = http::post_json<item>(c, bg, server.url(), item{"b", 3});
    ASSERT_TRUE(posted);
    EXPECT_EQ(last.get().body, R"({"sku":"b","count":3})");
    EXPECT_EQ(last.get().headers.get("Content-Type"), "application/json");
    EXPECT_EQ(http::send_json(c, bg, "PUT", server.url(), std::vector{1, 2})->status, 200);
    EXPECT_EQ(last.get().body, "[1,2]");

    const result<item> none = http::get_json<item>(c, bg, server.url("/none"));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().message(),
              "Get \"" + server.url("/none") + "\": 404 Not Found: no item");
    ASSERT_NE(none.error().as<http::status_error>(), nullptr);
    EXPECT_EQ(none.error().as<http::status_error>()->status, 404);
    EXPECT_EQ(none.error().as<http::status_error>()->text, "no item\n");
    const result<item> bad = http::get_json<item>(c, bg, server.url("/bad"));
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message().find("count"), std::string::npos) << bad.error().message();
    const result<item> large = http::get_json<item>(c, bg, server.url(), {.bytes_max = 10});
    ASSERT_FALSE(large);
    EXPECT_TRUE(large.error().is(http::body_too_large));
  });
}

}  // namespace
