// SPDX-License-Identifier: Apache-2.0
// Rows yield_2 and yield_1000: goroutines that do nothing but give way to each other.
#include "bench/weft/rows.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

void yield_all(int64_t goroutines, int64_t each) {
  weft::wait_group done;
  for (int64_t g = 0; g < goroutines; ++g) {
    done.go([each] {
      for (int64_t i = 0; i < each; ++i) weft::yield();
    });
  }
  done.wait();
}

void yield(const call& how, int64_t goroutines) {
  run_weft(how.procs, [&] {
    const int64_t each = how.count(25'000'000, goroutines) / goroutines;
    yield_all(goroutines, each / 10 + 1);
    result out{how};
    out.start();
    yield_all(goroutines, each);
    out.stop(goroutines * each);
    out.print(program);
  });
}

}  // namespace

void yield_2(const call& how) { yield(how, 2); }
void yield_1000(const call& how) { yield(how, 1000); }

}  // namespace bench
