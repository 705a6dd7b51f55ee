// SPDX-License-Identifier: Apache-2.0
// Rows spawn_128 and spawn_join_1m: goroutines that end at once.
#include "bench/weft/rows.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

void spawn_and_wait(int64_t goroutines) {
  weft::wait_group done;
  done.add(goroutines);
  for (int64_t i = 0; i < goroutines; ++i) weft::go([&done] { done.done(); });
  done.wait();
}

void spawn_batches(int64_t batches) {
  for (int64_t b = 0; b < batches; ++b) spawn_and_wait(128);
}

}  // namespace

void spawn_128(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t spawned = how.count(8'000'000, 128);
    spawn_batches(spawned / 1280 + 1);
    result out{how};
    out.start();
    spawn_batches(spawned / 128);
    out.stop(spawned);
    out.print(program);
  });
}

void spawn_join_1m(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t spawned = how.count(1'000'000);
    spawn_batches(10);
    result out{how};
    out.start();
    spawn_and_wait(spawned);
    out.stop(spawned);
    out.print(program);
  });
}

}  // namespace bench
