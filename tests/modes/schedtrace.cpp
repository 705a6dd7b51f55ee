// SPDX-License-Identifier: Apache-2.0
// Something to trace: goroutines that compute, one parked on a channel, for a quarter of a second.
#include <weft/weft.hpp>

using namespace std::chrono_literals;

int main() {
  return weft::run({.procs = 2}, [] {
    auto never = weft::make_chan<int>();
    auto parked = weft::spawn([never] { (void)never.recv(); });
    const auto until = weft::now() + 250ms;
    weft::wait_group workers;
    for (int i = 0; i < 4; ++i)
      workers.go([until] {
        while (weft::now() < until) weft::yield();
      });
    workers.wait();
    never.close();
    parked.join();
  });
}
