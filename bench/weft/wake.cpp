// SPDX-License-Identifier: Apache-2.0
// Row wake_200us: from a send until the receiver runs, when the other P's thread has gone idle.
//
// The waker computes for 200 us before each send and goes on computing after it, so a receiver that
// only runs when the waker stops shows the whole gap.
#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {

void wake_200us(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t sends = how.count(2500, 10);
    auto stamps = weft::make_chan<int64_t>();
    std::vector<int64_t> samples;
    samples.reserve(static_cast<size_t>(sends));
    weft::wait_group ended;
    ended.go([stamps, &samples] {
      for (int64_t sent : stamps) samples.push_back(wall_ns() - sent);
    });
    result out{how};
    out.start();
    for (int64_t i = 0; i < sends; ++i) {
      for (const int64_t until = wall_ns() + 200'000; wall_ns() < until;) {
      }
      stamps.send(wall_ns());
    }
    out.stop(sends);
    stamps.close();
    ended.wait();
    latency_values(out, std::span{samples}.subspan(samples.size() / 10));
    out.print(program);
  });
}

}  // namespace bench
