// SPDX-License-Identifier: Apache-2.0
// What servers are known to read differently, sent to a server on its socket. Behind each request
// follows another one: if the first is refused, the second must never reach a handler.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

#include "weft/http/h1_vectors_testing.hpp"
#include "weft/http/server.hpp"
#include "weft/net/dial.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/task.hpp"

namespace {

using namespace std::chrono_literals;
using weft::http::request;
using weft::http::response_writer;
using weft::http::server;

constexpr std::string_view behind = "GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

struct seen {
  std::string answers;
  int first_status = 0;
  int behind = 0;  // how often the second request was served
};

int status_of(std::string_view answer) {
  constexpr std::string_view version = "HTTP/1.1 ";
  if (!answer.starts_with(version)) return -1;
  return std::stoi(std::string(answer.substr(version.size(), 3)));
}

/// A server whose handler reads bodies, or does not look at them.
class service {
 public:
  explicit service(bool reads_bodies)
      : made_({.handler =
                   [this, reads_bodies](response_writer& w, request& r) {
                     if (r.url.path == "/behind") ++behind_;
                     if (reads_bodies) {
                       // The server says what is wrong.
                       if (!r.body.read_all()) return;
                     }
                     (void)w.write("served");
                   }}),
        on_(weft::net::listen("tcp", "127.0.0.1:0").value()),
        served_(weft::spawn([this] { return made_.serve(on_); })) {}
  ~service() {
    made_.close();
    (void)served_.join();
    while (made_.stats().connections_now != 0) weft::yield();
  }

  seen ask(const std::string& wire) {
    behind_ = 0;
    const auto c = weft::net::dial("tcp", on_.addr().string()).value();
    (void)c.set_deadline(std::chrono::steady_clock::now() + 20s);
    // Sent whole while the answers are read: who refuses may not read to the end.
    auto sent = weft::spawn([&] { return c.write(wire + std::string(behind)); });
    seen out;
    char piece[4096];
    for (;;) {
      const auto got = c.read(std::span<char>(piece));
      // A reset: it was closed while we were sending.
      if (!got || *got == 0) break;
      out.answers.append(piece, *got);
    }
    (void)sent.join();
    out.first_status = status_of(out.answers);
    out.behind = behind_;
    return out;
  }

 private:
  // The client waits for the end of a connection before it looks.
  int behind_ = 0;
  server made_;
  weft::net::listener on_;
  weft::task<weft::result<void>> served_;
};

void check(service& s, const h1_test::vector& v) {
  const seen got = s.ask(v.wire);
  const bool old = v.wire.find("HTTP/1.0") != std::string::npos;
  if (v.status == 0) {
    EXPECT_EQ(got.first_status, 200) << v.name << ": " << got.answers;
    EXPECT_EQ(got.behind, old ? 0 : 1) << v.name << ": " << got.answers;
  } else {
    EXPECT_EQ(got.first_status, v.status) << v.name << ": " << got.answers;
    EXPECT_EQ(got.behind, 0) << v.name;
    EXPECT_EQ(got.answers.find("HTTP/1.1 ", 1), std::string::npos) << v.name << ": " << got.answers;
    EXPECT_NE(got.answers.find("\r\nConnection: close\r\n"), std::string::npos) << v.name;
  }
}

void check_all(bool reads_bodies) {
  weft::run([=] {
    service s(reads_bodies);
    for (const h1_test::vector& v : h1_test::smuggling_vectors()) check(s, v);
    for (const h1_test::vector& v : h1_test::more_vectors()) check(s, v);
  });
}

TEST(ServerVectors, AHandlerThatReadsBodies) { check_all(true); }
TEST(ServerVectors, AHandlerThatDoesNotReadBodies) { check_all(false); }

}  // namespace
