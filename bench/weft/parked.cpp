// SPDX-License-Identifier: Apache-2.0
// Rows parked_1m and parked_1m_64k: creating a million goroutines that wait on a channel, and the
// memory they take while they wait, at the default stack and at stacks of 64 KiB.
#include <unistd.h>

#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

void parked(const call& how, const weft::go_options& options) {
  run_weft(how.procs, [&] {
    const int64_t count = how.count(1'000'000);
    auto gate = weft::make_chan<int64_t>();
    weft::wait_group arrived;
    result out{how};
    const memory before;
    out.start();
    arrived.add(count);
    for (int64_t i = 0; i < count; ++i) {
      weft::go(options, [&gate, &arrived] {
        arrived.done();
        keep(gate.recv());
      });
    }
    arrived.wait();
    out.stop(count);
    const memory after;
    const auto per = [&](int64_t bytes) {
      return static_cast<double>(bytes) / static_cast<double>(count);
    };
    out.value("rss_bytes", per(after.rss - before.rss));
    out.value("page_table_bytes", per(after.page_tables - before.page_tables));
    out.value("bytes", per(after.rss - before.rss + after.page_tables - before.page_tables));
    out.print(program);
    _exit(0);  // the parked ones are never woken
  });
}

}  // namespace

void parked_1m(const call& how) { parked(how, {}); }
void parked_1m_64k(const call& how) { parked(how, {.stack = 64 << 10}); }

}  // namespace bench
