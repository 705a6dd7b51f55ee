// SPDX-License-Identifier: Apache-2.0
// docs/guide/network.md: an echo of datagrams, and a client that asks again.
#include <cstdio>

#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
namespace net = weft::net;

void echo(const net::packet_conn& socket) {
  char buffer[1500];
  for (;;) {
    const auto got = socket.read_from(std::span<char>(buffer));
    if (!got) return;  // closed
    if (got->truncated()) continue;
    (void)socket.write_to(std::string_view(buffer, got->bytes), got->from);
  }
}

weft::result<std::string> ask(const net::packet_conn& peer, std::string_view question) {
  char buffer[1500];
  for (int attempt = 0;; ++attempt) {
    if (auto sent = peer.write(question); !sent) return weft::fail(sent.error());
    (void)peer.set_read_deadline(weft::now() + 500ms);
    auto got = peer.read_from(std::span<char>(buffer));
    if (got) return std::string(buffer, got->bytes);
    if (!got.error().timeout() || attempt == 3) return weft::fail(got.error());
  }
}

}  // namespace

int main() {
  return weft::run([] {
    const auto server = net::listen_packet("udp", "127.0.0.1:0").value();
    auto serving = weft::spawn([&] { echo(server); });
    const auto client = net::dial_packet("udp", server.local_addr().string()).value();
    const auto answer = ask(client, "hello");
    std::puts(answer ? answer->c_str() : answer.error().message().c_str());
    (void)server.close();
    serving.join();
  });
}
