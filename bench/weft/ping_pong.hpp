// SPDX-License-Identifier: Apache-2.0
// Two goroutines that answer each other on unbuffered channels.
#pragma once

#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"

namespace bench {

/// CPU time of so many round trips.
inline int64_t ping_pong_ns(int64_t rounds) {
  const auto ping = weft::make_chan<int64_t>();
  const auto pong = weft::make_chan<int64_t>();
  weft::go([=] {
    for (int64_t v : ping) pong.send(v);
    pong.close();
  });
  const int64_t before = cpu_ns();
  for (int64_t i = 0; i < rounds; ++i) {
    ping.send(i);
    keep(pong.recv());
  }
  const int64_t used = cpu_ns() - before;
  ping.close();
  keep(pong.recv());
  return used;
}

}  // namespace bench
