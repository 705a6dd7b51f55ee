// SPDX-License-Identifier: Apache-2.0
// Rows chan_unbuffered (round trips) and chan_1p1c, chan_4p4c (a stream through 128 places).
#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

void round_trips(int64_t trips) {
  auto ping = weft::make_chan<int64_t>();
  auto pong = weft::make_chan<int64_t>();
  weft::go([ping, pong] {
    for (int64_t v : ping) pong.send(v);
    pong.close();
  });
  for (int64_t i = 0; i < trips; ++i) {
    ping.send(i);
    keep(pong.recv());
  }
  ping.close();
  keep(pong.recv());
}

void stream(int64_t items, int64_t pairs) {
  auto channel = weft::make_chan<int64_t>(128);
  const int64_t each = items / pairs;
  weft::wait_group done;
  for (int64_t p = 0; p < pairs; ++p) {
    done.go([channel, each] {
      for (int64_t i = 0; i < each; ++i) channel.send(i);
    });
    done.go([channel, each] {
      for (int64_t i = 0; i < each; ++i) keep(channel.recv());
    });
  }
  done.wait();
}

void buffered(const call& how, int64_t pairs) {
  run_weft(how.procs, [&] {
    const int64_t items = how.count(20'000'000, pairs);
    stream(items / 10 / pairs * pairs + pairs, pairs);
    result out{how};
    out.start();
    stream(items, pairs);
    out.stop(items);
    out.print(program);
  });
}

}  // namespace

void chan_unbuffered(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t trips = how.count(4'000'000);
    round_trips(trips / 10 + 1);
    result out{how};
    out.start();
    round_trips(trips);
    out.stop(trips);
    out.print(program);
  });
}

void chan_1p1c(const call& how) { buffered(how, 1); }
void chan_4p4c(const call& how) { buffered(how, 4); }

}  // namespace bench
