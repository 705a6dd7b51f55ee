// SPDX-License-Identifier: Apache-2.0
// The client's half of peers.py: probe go URL URL-OF-HASTY-SERVER, probe nginx URL. Silent if all
// is well.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "weft/http/client.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;

int failures = 0;

void check(bool good, const std::string& what) {
  if (good) return;
  std::printf("%s\n", what.c_str());
  ++failures;
}

std::string text_of(result<http::response>& r) {
  if (!r) return "(" + r.error().message() + ")";
  result<std::string> text = r->body.read_all();
  return text ? *text : "(" + text.error().message() + ")";
}
std::string text_of(result<http::response>&& r) { return text_of(r); }

void same(const std::string& got, const std::string& wanted, const std::string& what) {
  check(got == wanted, what + ": " + got.substr(0, 300) + " instead of " + wanted.substr(0, 300));
}

/// Of unknown length.
class repeated final : public http::body_source {
 public:
  explicit repeated(size_t bytes) : left_(bytes) {}
  result<size_t> read(std::span<char> to) override {
    const size_t count = std::min(left_, to.size());
    std::fill_n(to.begin(), count, 'r');
    left_ -= count;
    return count;
  }

 private:
  size_t left_;
};

/// It closes connections that were idle for 300 ms: they leave by themselves.
void against_hasty_go(const std::string& base) {
  const http::client c;
  const context bg = background();
  for (int i = 0; i < 3; ++i) {
    same(text_of(c.post(bg, base + "/echo", "text/plain", "once")), "once", "post");
    while (c.stats().idle_now != 0) weft::yield();
  }
  check(c.stats().dials == 3 && c.stats().retries == 0, "dials of the hasty one");
}

void against_go(const std::string& base) {
  const http::client c;
  const context bg = background();
  const std::string host = base.substr(7);
  for (int i = 0; i < 50; ++i)
    same(text_of(c.get(bg, base + "/hello")), "hello GET " + host, "get");
  check(c.stats().dials == 1 && c.stats().reuses == 49, "keep-alive");
  result<http::response> r = c.head(bg, base + "/hello");
  check(r && r->status == 200 && r->body.length() == 0, "head");
  for (const size_t bytes : {0u, 1u, 1000u, 100'000u, 5'000'000u}) {
    const std::string body(bytes, 'b');
    r = c.post(bg, base + "/echo", "text/plain", body);
    check(r && r->headers.get("X-Length") == std::to_string(bytes), "announced length");
    check(text_of(r) == body, "echo of " + std::to_string(bytes));
  }
  http::request chunked("POST", base + "/echo", http::body(std::make_unique<repeated>(3'000'000)));
  chunked.trailers.add("X-Sum", "17");
  r = c.send(std::move(chunked));
  check(r && r->headers.get("X-Length") == "-1" && r->headers.get("X-Trailer-Seen") == "17",
        "chunks and trailers of the request");
  same(text_of(r), std::string(3'000'000, 'r'), "chunked echo");
  http::request patient("POST", base + "/echo", "waited");
  patient.headers.set("Expect", "100-continue");
  same(text_of(c.send(std::move(patient))), "waited", "100-continue");
  r = c.get(bg, base + "/chunks");
  std::string wanted;
  for (int i = 0; i < 100; ++i) wanted += "piece " + std::to_string(i) + '\n';
  same(text_of(r), wanted, "chunks");
  check(r && r->body.trailers() != nullptr && r->body.trailers()->get("X-Sum") == "100",
        "trailers");
  same(text_of(c.get(bg, base + "/large")), std::string(160 << 16, '\0'), "large");
  wanted.clear();
  for (int i = 0; i < 1000; ++i) wanted += "line " + std::to_string(i) + '\n';
  same(text_of(c.get(bg, base + "/gzip")), wanted, "gzip");
  same(text_of(c.get(bg, base + "/redirect")), "hello GET " + host, "redirect");
  same(text_of(c.get(bg, base + "/hints")), "hinted", "early hints");
  r = c.get(bg, base + "/nothing");
  check(r && r->status == 204, "204");
  check(c.stats().dials == 1, "one connection for all: " + std::to_string(c.stats().dials));
  r = c.send(
      http::request("POST", base + "/refuse", http::body(std::make_unique<repeated>(50'000'000))));
  check(r && r->status == 413, "413 while the body is being sent");
  same(text_of(c.get(bg, base + "/hello")), "hello GET " + host, "after 413");
  check(c.stats().retries == 0, "retries");
  r = c.with_request_timeout(50ms).get(bg, base + "/slow");
  check(!r && r.error().timeout(), "timeout");
  wait_group all;
  for (int i = 0; i < 100; ++i)
    all.go([&] {
      for (int k = 0; k < 20; ++k)
        same(text_of(c.get(bg, base + "/hello")), "hello GET " + host, "many");
    });
  all.wait();
  check(c.stats().in_use_now == 0, "all given back");
}

void against_nginx(const std::string& base) {
  const http::client c;
  const context bg = background();
  for (int i = 0; i < 20; ++i) same(text_of(c.get(bg, base + "/hello")), "hello", "get");
  // keepalive_requests 5: the server says so with the fifth answer.
  check(c.stats().dials == 4, "connections of 5 requests: " + std::to_string(c.stats().dials));
  check(c.stats().retries == 0, "retries");
  result<http::response> r = c.get(bg, base + "/file");
  check(r && r->body.length() == 3'000'000, "length of a file");
  check(text_of(r).size() == 3'000'000, "file");
  http::request part("GET", base + "/file");
  part.headers.set("Range", "bytes=10-19");
  r = c.send(std::move(part));
  check(r && r->status == 206 && !r->uncompressed, "range");
  check(text_of(r).size() == 10, "bytes of a range");
  r = c.get(bg, base + "/text.txt");
  check(r && r->uncompressed, "nginx compresses text");
  check(text_of(r) == std::string(20'000, 't'), "gzip");
  same(text_of(c.get(bg, base + "/moved")), "hello", "redirect");
  r = c.post(bg, base + "/hello", "text/plain", std::string(5'000'000, 'x'));
  check(r && r->status == 413, "body too large");
  http::request patient("POST", base + "/hello", std::string(5000, 'x'));
  patient.headers.set("Expect", "100-continue");
  r = c.send(std::move(patient));
  check(r && r->status == 413, "refused before the body");
  r = c.get(bg, base + "/none");
  check(r && r->status == 404, "404");
  (void)text_of(r);
  wait_group all;
  for (int i = 0; i < 50; ++i)
    all.go([&] {
      for (int k = 0; k < 20; ++k) same(text_of(c.get(bg, base + "/hello")), "hello", "many");
    });
  all.wait();
  check(c.stats().in_use_now == 0, "all given back");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string peer = argv[1];
  weft::run([&] {
    if (peer == "nginx") return against_nginx(argv[2]);
    against_go(argv[2]);
    if (argc > 3) against_hasty_go(argv[3]);
  });
  return failures == 0 ? 0 : 1;
}
