// SPDX-License-Identifier: Apache-2.0
// How deep a handshake goes: the goroutine's stack is painted, and what was overwritten is
// measured.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "weft/base/sanitizer.hpp"
#include "weft/net/pipe.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/task.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/tls.hpp"

namespace {

using namespace weft;

constexpr size_t painted_bytes = 448 << 10;
constexpr unsigned char paint = 0xa5;

/// Where the painted part of this goroutine's stack begins.
[[gnu::noinline]] const unsigned char* paint_below() {
  unsigned char room[painted_bytes];
  std::memset(room, paint, sizeof room);
  // Through a register: the address leaves the function, which is what is wanted.
  const unsigned char* at = room;
  asm volatile("" : "+r"(at) : : "memory");
  return at;
}

size_t used_since(const unsigned char* begin) {
  const unsigned char* const end = begin + painted_bytes;
  return static_cast<size_t>(
      end - std::find_if(begin, end, [](unsigned char byte) { return byte != paint; }));
}

TEST(tls_stack, a_handshake_fits_a_goroutine) {
  if (rt::sanitizer::address || rt::sanitizer::thread) GTEST_SKIP() << "their frames are larger";
  weft::run([] {
    for (const bool rsa : {false, true}) {
      const tls_testing::small_world world;
      net::tls_config serving = world.server();
      if (rsa)
        serving.certificates = {
            tls_testing::make_certificate({.names = "DNS:localhost", .rsa = true}, &world.authority)
                .config()};
      serving.client_auth = net::tls_client_auth::require_and_verify;
      serving.client_ca_pem = world.authority.pem;
      net::tls_config calling = world.client();
      calling.certificates = {world.local.config()};
      auto over = net::pipe();
      const net::conn server = net::tls_server(over.first, serving).value();
      const net::conn client = net::tls_client(over.second, calling).value();
      const auto measured = [](const net::conn& c) {
        return spawn({.stack = 1 << 20}, [c] {
          const unsigned char* begin = paint_below();
          EXPECT_TRUE(net::handshake(c, background()));
          return used_since(begin);
        });
      };
      auto of_server = measured(server);
      auto of_client = measured(client);
      const size_t deepest = std::max(of_server.join(), of_client.join());
      std::printf("%s: %zu bytes of stack\n", rsa ? "RSA 2048" : "ECDSA P-256", deepest);
      EXPECT_LT(deepest, size_t{64} << 10) << "a quarter of a goroutine's stack";
    }
  });
}

}  // namespace
