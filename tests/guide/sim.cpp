// SPDX-License-Identifier: Apache-2.0
// What docs/guide/testing-with-sim.md quotes: a bug that one schedule in many shows.
#include <weft/weft.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

/// Broken on purpose: checks and then acts, with a call between that lets others run.
struct account {
  int balance = 100;
  weft::mutex lock;
  bool withdraw(int amount) {
    {
      const std::scoped_lock hold(lock);
      if (balance < amount) return false;
    }
    const std::scoped_lock hold(lock);
    balance -= amount;
    return true;
  }
};

void two_withdrawals() {
  account a;
  auto first = weft::spawn({.name = "first"}, [&] { a.withdraw(80); });
  auto second = weft::spawn({.name = "second"}, [&] { a.withdraw(80); });
  first.join();
  second.join();
  if (a.balance < 0) weft::panic("overdrawn");
}

void a_day_in_no_time() {
  auto ticks = weft::make_chan<int>();
  weft::go([ticks] {
    for (int hour = 0; hour < 24; ++hour) {
      weft::sleep_for(1h);
      ticks.send(hour);
    }
    ticks.close();
  });
  int hours = 0;
  for (int hour : ticks) hours = hour + 1;
  if (hours != 24) weft::panic("lost an hour");
}

}  // namespace

int main() {
  weft::sim::explore({.seeds = 100, .faults = weft::sim::harmless_faults}, a_day_in_no_time);
  try {
    weft::sim::explore(1000, two_withdrawals);
  } catch (const weft::sim::failure& found) {
    std::printf("found by seed %llu\n", static_cast<unsigned long long>(found.seed()));
    return 0;
  }
  std::puts("no schedule overdraws");
  return 1;
}
