// SPDX-License-Identifier: Apache-2.0
// Rows timer_cancel (a timer started and stopped) and sleepers_1m (a million sleep 1-100 ms).
#include "bench/weft/rows.hpp"
#include "weft/sync/timer.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

void create_cancel(int64_t timers) {
  for (int64_t i = 0; i < timers; ++i) {
    weft::timer one{1h};
    keep(one.stop());
  }
}

}  // namespace

void timer_cancel(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t timers = how.count(4'000'000);
    create_cancel(timers / 10 + 1);
    result out{how};
    out.start();
    create_cancel(timers);
    out.stop(timers);
    out.print(program);
  });
}

void sleepers_1m(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t sleepers = how.count(1'000'000);
    weft::wait_group done;
    result out{how};
    out.start();
    done.add(sleepers);
    for (int64_t i = 0; i < sleepers; ++i) {
      weft::go([&done, i] {
        weft::sleep_for(std::chrono::milliseconds{1 + i % 100});
        done.done();
      });
    }
    done.wait();
    out.stop(sleepers);
    out.print(program);
  });
}

}  // namespace bench
