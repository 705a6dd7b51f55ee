// SPDX-License-Identifier: Apache-2.0
// Objects that are freed on another P than the one they came from. 64 goroutines, 16 of which may
// run: one allocates some objects, wakes another one at random, which goes on where it was woken,
// parks, and frees its objects when it is woken in turn. Two programs: linked with weft::malloc,
// and with the C library's malloc for LD_PRELOAD.
#include <pthread.h>

#include <array>
#include <atomic>
#include <vector>

#include "../alloc/rows.hpp"
#include "weft/weft.hpp"

namespace bench {

namespace {

constexpr uint32_t goroutines = 64;
constexpr uint32_t may_run = 16;
constexpr int at_a_time = 32;  // objects that each holds while it waits

// Which thread it is may not be remembered over a switch, as the compiler would.
__attribute__((noinline)) pthread_t this_thread() {
  asm volatile("" : : : "memory");
  return ::pthread_self();
}

struct crowd {
  std::vector<weft::chan<int>> wakes;  // nobody ever waits to send: there are fewer who may run
  std::atomic<int64_t> left;           // rounds of all
  std::atomic<int64_t> moved{0};

  explicit crowd(int64_t rounds) : left{rounds} {
    for (uint32_t i = 0; i < goroutines; ++i)
      wakes.push_back(weft::make_chan<int>(may_run + goroutines));
  }
};

void wander(crowd& all, uint32_t me) {
  quick_random random(me + 1);
  int64_t moved = 0;
  keep(all.wakes[me].recv());
  int64_t left = 0;
  while ((left = all.left.fetch_sub(1, std::memory_order_relaxed)) > 0) {
    std::array<void*, at_a_time> held;
    for (void*& object : held) object = allocate_written(random.between(16, 512));
    const pthread_t before = this_thread();
    all.wakes[random.between(0, goroutines - 1)].send(0);
    keep(all.wakes[me].recv());
    if (before != this_thread()) ++moved;
    for (void* object : held) std::free(object);
  }
  all.moved += moved;
  if (left == 0)  // the first to see the end tells the others
    for (const auto& wake : all.wakes) wake.send(0);
}

/// The share of waits after which a goroutine went on elsewhere.
double wander_all(int64_t rounds) {
  crowd all(rounds);
  weft::wait_group done;
  for (uint32_t i = 0; i < goroutines; ++i) done.go([&all, i] { wander(all, i); });
  for (uint32_t i = 0; i < may_run; ++i) all.wakes[i].send(0);
  done.wait();
  return static_cast<double>(all.moved) / static_cast<double>(rounds);
}

void churn(const call& how) {
  const int64_t rounds = how.count(400'000);
  result out(how);
  double share = 0;
  weft::run({.procs = how.procs}, [&] {
    (void)wander_all(std::max<int64_t>(rounds / 10, 1));
    out.start();
    share = wander_all(rounds);
    out.stop(rounds * at_a_time);
  });
  out.value("moved", share);
  print_with_peak(out);
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  static constexpr bench::entry rows[] = {{"churn", bench::churn}};
  return bench::dispatch(argc, argv, rows);
}
