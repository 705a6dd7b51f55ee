// SPDX-License-Identifier: Apache-2.0
// Row mutex_8: eight goroutines, one mutex, a section of one increment.
#include "weft/sync/mutex.hpp"

#include "bench/weft/rows.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

void lock_all(int64_t locks, int64_t goroutines) {
  weft::mutex lock;
  int64_t counter = 0;
  const int64_t each = locks / goroutines;
  weft::wait_group done;
  for (int64_t g = 0; g < goroutines; ++g) {
    done.go([&lock, &counter, each] {
      for (int64_t i = 0; i < each; ++i) {
        lock.lock();
        ++counter;
        lock.unlock();
      }
    });
  }
  done.wait();
  if (counter != locks) std::abort();
}

}  // namespace

void mutex_8(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t locks = how.count(60'000'000, 8);
    lock_all(locks / 80 * 8 + 8, 8);
    result out{how};
    out.start();
    lock_all(locks, 8);
    out.stop(locks);
    out.print(program);
  });
}

}  // namespace bench
