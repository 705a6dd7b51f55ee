// SPDX-License-Identifier: Apache-2.0
// Rows fair_*: the longest that any of 10,000 yielders waits for its turn while one or two
// goroutines compute, or block in libc without telling the runtime, for 200 ms.
#include "bench/weft/rows.hpp"
#include "weft/base/atomic.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using weft::rt::atomic;
using weft::rt::relaxed;

constexpr int64_t yielders = 10'000;
constexpr int64_t hog_ns = 200'000'000;

struct record {
  int64_t worst_ns = 0;
  int64_t turns = 0;
};

/// What the yielders share with main. Written by main, read by the yielders.
struct control {
  /// Delays count from here on; 0: not started.
  atomic<int64_t> armed_at{0};
  atomic<bool> stop{false};
};

void take_turns(const control& shared, record& mine) {
  int64_t last = wall_ns();
  while (!shared.stop.load(relaxed)) {
    weft::yield();
    const int64_t now = wall_ns();
    const int64_t from = shared.armed_at.load(relaxed);
    if (from != 0 && last >= from) mine.worst_ns = std::max(mine.worst_ns, now - last);
    last = now;
    ++mine.turns;
  }
}

void fairness(const call& how, int hogs, void (*hog)(int64_t)) {
  run_weft(how.procs, [&] {
    control shared;
    std::vector<record> records(yielders);
    weft::wait_group ready;
    weft::wait_group done;
    ready.add(yielders);
    for (record& mine : records) {
      done.go([&] {
        ready.done();
        take_turns(shared, mine);
      });
    }
    ready.wait();
    weft::sleep_for(100ms);
    result out{how};
    out.start();
    shared.armed_at.store(wall_ns(), relaxed);
    weft::wait_group busy;
    for (int h = 0; h < hogs; ++h) busy.go([hog] { hog(hog_ns); });
    if (hogs == 0) weft::sleep_for(std::chrono::nanoseconds{hog_ns});
    busy.wait();
    weft::sleep_for(50ms);
    out.stop(1);
    shared.stop.store(true, relaxed);
    done.wait();
    record all;
    for (const record& one : records) {
      all.worst_ns = std::max(all.worst_ns, one.worst_ns);
      all.turns += one.turns;
    }
    out.value("max_delay_ms", static_cast<double>(all.worst_ns) / 1e6);
    out.value("turns", static_cast<double>(all.turns));
    out.print(program);
  });
}

}  // namespace

void fair_none(const call& how) { fairness(how, 0, nullptr); }
void fair_spin_1(const call& how) { fairness(how, 1, spin_for); }
void fair_spin_2(const call& how) { fairness(how, 2, spin_for); }
void fair_block_1(const call& how) { fairness(how, 1, block_for); }
void fair_block_2(const call& how) { fairness(how, 2, block_for); }

}  // namespace bench
