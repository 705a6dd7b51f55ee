// SPDX-License-Identifier: Apache-2.0
// The door's parts, and the door inside of weft::run. With clients of other people:
// tests/debughttp.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "weft/base/panic.hpp"
#include "weft/debughttp/debughttp.hpp"
#include "weft/debughttp/internal/guard.hpp"
#include "weft/debughttp/internal/place.hpp"
#include "weft/http/client.hpp"
#include "weft/http/recorder_testing.hpp"
#include "weft/net/dial.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/tls/certificates_testing.hpp"

namespace weft::debughttp {
namespace {

/// A directory of its own for sockets, in place of the user's.
class runtime_directory {
 public:
  runtime_directory() {
    EXPECT_NE(::mkdtemp(path_), nullptr);
    ::setenv("XDG_RUNTIME_DIR", path_, 1);
  }
  ~runtime_directory() {
    (void)::rmdir((std::string(path_) + "/weft").c_str());
    (void)::rmdir(path_);
  }
  [[nodiscard]] std::string socket() const {
    return std::string(path_) + "/weft/" + std::to_string(::getpid()) + ".sock";
  }

 private:
  char path_[32] = "/tmp/weft-door-XXXXXX";
};

std::string why(const result<place>& p) { return p ? "" : std::string(p.error().message()); }

TEST(Place, LoopbackByNameAndByNumber) {
  for (const char* host : {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost",
                           "LocalHost", "localhost.", "a.localhost"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1",
                           "localhost.example", "xlocalhost", "127.0.0.1.example", "127.1"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Place, AnAddressThatIsGuardedMayBeAnywhere) {
  EXPECT_EQ(why(parse_place("0.0.0.0:6060", true)), "");
  EXPECT_EQ(why(parse_place("127.0.0.1:6060", false)), "");
  EXPECT_NE(why(parse_place("0.0.0.0:6060", false)), "");
  const auto local = parse_place("unix:/run/door", false);
  ASSERT_TRUE(local);
  EXPECT_TRUE(local->local);
  EXPECT_EQ(local->path, "/run/door");
}

TEST(Guard, SecretsAreComparedWhole) {
  EXPECT_TRUE(same_secret("sesame", "sesame"));
  EXPECT_FALSE(same_secret("sesame", "sesamf"));
  EXPECT_FALSE(same_secret("sesame", "sesam"));
  EXPECT_FALSE(same_secret("", "sesame"));
}

TEST(Guard, AnOriginIsThatOfItsHost) {
  const auto status = [](std::string_view host, std::string_view origin) {
    http::recorder w;
    http::request r = http::make_request("GET", "/");
    r.host = host;
    if (!origin.empty()) r.headers.set("Origin", origin);
    guarded([](auto& to, auto&) { to.write_head(204); }, {.check_host = true, .host = "10.0.0.7"})(
        w, r);
    return w.status();
  };
  EXPECT_EQ(status("127.0.0.1:80", ""), 204);
  EXPECT_EQ(status("10.0.0.7:80", "http://10.0.0.7:80"), 204);
  EXPECT_EQ(status("10.0.0.8:80", ""), 403);
  EXPECT_EQ(status("", ""), 403);
  EXPECT_EQ(status("[::1]:80", "http://[::1]:80"), 204);
  EXPECT_EQ(status("[::1", ""), 403);
  EXPECT_EQ(status("127.0.0.1:80", "http://127.0.0.1"), 403);
}

TEST(Handler, CanBeMountedAnywhere) {
  const http::handler h = handler();
  const auto get = [&](std::string_view target) {
    http::recorder w;
    http::request r = http::make_request("GET", target);
    r.host = "service.example.org";
    h(w, r);
    EXPECT_EQ(w.status(), 200) << target;
    return w.body;
  };
  weft::run({.debug_addr = "off"}, [&] {
    EXPECT_EQ(address(), "");
    EXPECT_TRUE(get("/debug/sched").starts_with("SCHED "));
    EXPECT_TRUE(get("/metrics").ends_with("# EOF\n"));
    EXPECT_NE(get("/debug/goroutines").find("Handler_CanBeMountedAnywhere"), std::string::npos);
    EXPECT_NE(get("/debug/heap").find("in use"), std::string::npos);
    EXPECT_EQ(get("/debug/pprof/symbol"), "num_symbols: 1\n");
  });
}

TEST(Door, OpensAndClosesWithEachRun) {
  const runtime_directory here;
  for (int round = 0; round < 20; ++round) {
    weft::run([&] {
      // It is not counted. Main goroutines of former runs end now, if they had no time to.
      while (num_goroutine() != 1) yield();
      EXPECT_EQ(address(), "unix:" + here.socket());
      struct stat is{};
      EXPECT_EQ(::stat(here.socket().c_str(), &is), 0);
      EXPECT_EQ(is.st_mode & 0777, 0600U);
      auto c = net::dial("unix", here.socket());
      ASSERT_TRUE(c);
      (void)c->write("GET /debug/sched HTTP/1.1\r\nHost: weft\r\n\r\n");
      char got[16];
      EXPECT_EQ(c->read_full(std::span<char>(got, 15)).value(), 15U);
      EXPECT_EQ(std::string_view(got, 15), "HTTP/1.1 200 OK");
    });
    EXPECT_NE(::access(here.socket().c_str(), F_OK), 0);
  }
}

TEST(Door, WhoIsConnectedDoesNotHoldTheEndUp) {
  const runtime_directory here;
  net::conn kept;
  weft::run([&] {
    kept = net::dial("unix", here.socket()).value();
    (void)kept.write("GET /debug/pprof/profile?seconds=500 HTTP/1.1\r\nHost: weft\r\n\r\n");
  });
  weft::run([&] { EXPECT_EQ(address(), "unix:" + here.socket()); });
}

TEST(Door, ABadAddressIsTheCallersMistake) {
  bool ran = false;
  try {
    weft::run({.debug_addr = "192.0.2.1:1"}, [&] { ran = true; });
    ADD_FAILURE() << "it ran";
  } catch (const panic_error& e) {
    EXPECT_TRUE(std::string_view(e.what()).starts_with(
        "weft::run: options.debug_addr is \"192.0.2.1:1\": is not loopback: "))
        << e.what();
  }
  EXPECT_FALSE(ran);
  weft::run({.debug_addr = "off"}, [&] { ran = true; });  // and the runtime works
  EXPECT_TRUE(ran);
}

TEST(Door, ClientCertificatesGuardLikeAToken) {
  using tls_testing::make_certificate;
  const auto root = make_certificate({.common_name = "root", .names = "", .authority = true});
  const auto own = make_certificate({.common_name = "door", .names = "IP:127.0.0.1"}, &root);
  const auto client = make_certificate({.common_name = "operator", .names = ""}, &root);
  net::tls_config with;
  with.certificates = {own.config()};
  with.client_auth = net::tls_client_auth::require_and_verify;
  with.client_ca_pem = root.pem;
  use_tls(with);
  weft::run({.debug_addr = "0.0.0.0:0"}, [&] {
    const std::string listens = address();
    const std::string where =
        "https://127.0.0.1" + listens.substr(listens.rfind(':')) + "/debug/sched";
    http::client_options options;
    options.tls.root_ca_pem = root.pem;
    EXPECT_FALSE(http::client(options).get(background(), where));
    options.tls.certificates = {client.config()};
    auto answer = http::client(options).get(background(), where);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->status, 200);
    EXPECT_TRUE(answer->body.read_all().value().starts_with("SCHED "));
  });
  // Asked for and not verified is no guard.
  with.client_auth = net::tls_client_auth::request;
  use_tls(with);
  EXPECT_THROW(weft::run({.debug_addr = "0.0.0.0:0"}, [] {}), panic_error);
  use_tls({});
}

}  // namespace
}  // namespace weft::debughttp
