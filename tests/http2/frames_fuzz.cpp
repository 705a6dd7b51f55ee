// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the HTTP/2 server: frames and header blocks, whatever they are, through libnghttp2
// and what stands around it. With libFuzzer (WEFT_FUZZ), or from frames_test.cpp.
//
//   first byte   the size of the pieces that the wire comes in
//   then         what follows the preface
//
// The server must neither crash nor hang: when the client has ended its side, the connection ends,
// and nothing of it is left. And another client is served by the same server.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "weft/http/server.hpp"
#include "weft/net/pipe.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

/// Requests that reached a handler, for frames_test.cpp: or nothing was tried.
std::atomic<unsigned> frames_served{0};

namespace {

using namespace std::chrono_literals;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "frames: %s\n", what);
  std::abort();
}

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

void read_to_end(const weft::net::conn& c) {
  char piece[4096];
  (void)c.set_read_deadline(weft::now() + 60s);
  for (;;) {
    const auto got = c.read(std::span<char>(piece));
    if (!got) {
      must(!got.error().timeout(), "the connection does not end");
      return;
    }
    if (*got == 0) return;
  }
}

void attack(std::string_view wire, size_t piece_bytes) {
  weft::http::server_options options{
      .handler = [](weft::http::response_writer& w, weft::http::request& r) {
        if (r.version == weft::http::version::http_2) ++frames_served;
        (void)r.body.read_all(1 << 16);
        (void)w.write(r.url.path);
      }};
  // A head or a body that never ends ends here.
  options.timeouts.read_header = 50ms;
  options.timeouts.read = 50ms;
  options.timeouts.write = 50ms;
  options.timeouts.idle = 50ms;
  options.log = [](std::string_view) {};
  const weft::http::server server(std::move(options));
  const auto on = weft::net::listen_in_memory();
  auto served = weft::spawn([&] { return server.serve(on); });
  {
    const auto c = weft::net::dial_in_memory(on).value();
    auto reading = weft::spawn([&] { read_to_end(c); });
    bool open = c.write(preface).has_value();
    for (size_t at = 0; open && at < wire.size(); at += piece_bytes)
      open = c.write(wire.substr(at, piece_bytes)).has_value();
    (void)c.close_write();
    reading.join();
  }
  const auto other = weft::net::dial_in_memory(on).value();
  (void)other.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  char status[12];
  must(other.read_full(std::span<char>(status)).value_or(0) == sizeof status &&
           std::string_view(status, sizeof status) == "HTTP/1.1 200",
       "another client is not served");
  read_to_end(other);
  server.close();
  (void)served.join();
  const auto limit = weft::now() + 60s;
  while (server.stats().connections_now != 0) {
    must(weft::now() < limit, "a connection is left");
    weft::sleep_for(100us);  // its goroutine goes, and tells nobody
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t wire_bytes_max = 1 << 16;
  if (size < 2 || size > wire_bytes_max) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  weft::run({.procs = 1}, [&] { attack(wire, 1 + size_t{data[0]} * 4); });
  return 0;
}
