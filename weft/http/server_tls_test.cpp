// SPDX-License-Identifier: Apache-2.0
// A server over TLS: how it ends.
#include <gtest/gtest.h>

#include "weft/http/server.hpp"
#include "weft/net/dial.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/task.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/tls.hpp"

namespace {

using namespace std::chrono_literals;

/// Neither who has not said a byte, nor who has shaken hands and no more.
TEST(ServerTls, SilentConnectionsDoNotHoldUpShutdown) {
  weft::run([] {
    const weft::tls_testing::small_world world;
    weft::net::tls_config with = world.server();
    with.handshake_timeout = 1h;
    const auto on = weft::net::listen_tls("tcp", "127.0.0.1:0", with).value();
    const weft::http::server server({.timeouts = {.read_header = 1h}});
    auto served = weft::spawn([&] { return server.serve(on); });
    const auto silent = weft::net::dial("tcp", on.addr().string()).value();
    const auto shaken =
        weft::net::tls_client(weft::net::dial("tcp", on.addr().string()).value(), world.client())
            .value();
    ASSERT_TRUE(weft::net::handshake(shaken, weft::background()));
    while (server.stats().idle_now != 2) weft::yield();
    const auto [soon, stop] = weft::with_timeout(weft::background(), 30s);
    EXPECT_TRUE(server.shutdown(soon));
    EXPECT_TRUE(served.join().error().is(weft::http::server_closed));
    EXPECT_EQ(server.stats().connections_now, 0U);
  });
}

}  // namespace
