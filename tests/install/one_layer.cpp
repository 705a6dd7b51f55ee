// SPDX-License-Identifier: Apache-2.0
// A program that links one layer only, by its own name.
#include <cstdio>
#include <weft/sched/run.hpp>
#include <weft/sync/chan.hpp>

int main() {
  return weft::run([] {
    auto done = weft::make_chan<int>(1);
    done.send(7);
    std::printf("%d\n", done.recv().value_or(0));
  });
}
