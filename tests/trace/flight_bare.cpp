// SPDX-License-Identifier: Apache-2.0
// A program of another's, which knows nothing of traces and dies.
#include <weft/sched/go.hpp>
#include <weft/sched/run.hpp>
#include <weft/sched/runtime.hpp>
#include <weft/sync/chan.hpp>

#include <chrono>
#include <cstdlib>

int main() {
  return weft::run([] {
    const auto never = weft::make_chan<int>();
    weft::go([never] { (void)never.recv(); });
    weft::sleep_for(std::chrono::milliseconds(50));
    std::abort();
  });
}
