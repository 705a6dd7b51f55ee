// SPDX-License-Identifier: Apache-2.0
// A user of the layer that is linked by name: JSON over HTTP, without a socket.
#include <weft/http/http.hpp>
#include <weft/json/json.hpp>
#include <weft/weft.hpp>

#include <cstdio>
#include <string>

namespace {

struct sum {
  int a = 0;
  int b = 0;
};

int serve() {
  const weft::http::server server({.handler = [](auto& w, auto& r) {
    const auto asked = weft::json::decode<sum>(r.body.read_all().value_or(""));
    (void)w.write(asked ? std::to_string(asked->a + asked->b) : asked.error().message());
  }});
  const auto on = weft::net::listen_in_memory();
  auto served = weft::spawn([&] { return server.serve(on); });
  const auto c = weft::net::dial_in_memory(on).value();
  (void)c.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\nConnection: close\r\n\r\n"
                "{\"a\":40,\"b\":2 }");
  std::string answer;
  char piece[4096];
  while (const size_t got = c.read(std::span<char>(piece)).value_or(0)) answer.append(piece, got);
  (void)server.shutdown(weft::background());
  (void)served.join();
  std::puts(answer.substr(answer.find("\r\n\r\n") + 4).c_str());
  return 0;
}

}  // namespace

int main() { return weft::run(serve); }
