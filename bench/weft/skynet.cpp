// SPDX-License-Identifier: Apache-2.0
// Row skynet: a tree of goroutines, ten children each, a million leaves that report upwards.
#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"

namespace bench {
namespace {

void node(const weft::chan<int64_t>& up, int64_t number, int64_t size) {
  if (size == 1) {
    up.send(number);
    return;
  }
  auto children = weft::make_chan<int64_t>();
  for (int64_t i = 0; i < 10; ++i) {
    weft::go([children, number, size, i] { node(children, number + i * (size / 10), size / 10); });
  }
  int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += *children.recv();
  up.send(sum);
}

}  // namespace

void skynet(const call& how) {
  run_weft(how.procs, [&] {
    int64_t leaves = 1;
    while (leaves * 10 <= how.count(1'000'000, 10)) leaves *= 10;
    result out{how};
    out.start();
    auto root = weft::make_chan<int64_t>();
    weft::go([root, leaves] { node(root, 0, leaves); });
    const int64_t sum = *root.recv();
    out.stop(1);
    if (sum != leaves * (leaves - 1) / 2) std::abort();
    out.print(program);
  });
}

}  // namespace bench
