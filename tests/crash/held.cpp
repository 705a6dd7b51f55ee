// SPDX-License-Identifier: Apache-2.0
// Goroutines that wait while they hold a std::mutex: debug builds say so, where it was locked and
// where the goroutine waits.
#include <mutex>
#include <shared_mutex>

#include "tests/crash/cases.hpp"
#include "weft/weft.hpp"

using namespace std::chrono_literals;

namespace {

std::mutex plain;
std::recursive_mutex recursive;
std::shared_mutex shared;
weft::chan<int> jobs;

void answer() {
  weft::go([] {
    while (true) jobs.send(1);
  });
}

}  // namespace

FRAME void take_job() {
  (void)jobs.recv();  // @take_job
  END;
}
FRAME void hold_and_wait() {
  const std::lock_guard hold(plain);  // @hold
  take_job();                         // @hold_and_wait
  END;
}

CASE(held_mutex) {
  jobs = weft::make_chan<int>();
  answer();
  for (int i = 0; i < 3; ++i) hold_and_wait();  // @held_mutex
  END;
  return 0;
}
CASE(held_alone) {
  const std::lock_guard hold(plain);  // @hold_alone
  take_job();                         // @held_alone
  END;
  return 0;
}
CASE(held_shared_mutex) {
  jobs = weft::make_chan<int>();
  answer();
  {
    const std::shared_lock hold(shared);  // @hold_shared
    take_job();                           // @held_shared_mutex
  }
  END;
  return 0;
}
CASE(held_at_yield) {
  weft::go([] { (void)weft::goroutine_id(); });
  std::unique_lock hold(plain, std::try_to_lock);  // @hold_at_yield
  weft::yield();                                   // @held_at_yield
  END;
  return 0;
}
FRAME void leave_locked() {
  plain.lock();  // @leave_locked
  END;
}
CASE(held_at_end) {
  weft::go({.name = "careless"}, &leave_locked);  // @go_leave_locked
  weft::sleep_for(1ms);
  END;
  return 0;
}
/// Nobody waits here with a lock: nothing may be said.
CASE(held_not) {
  jobs = weft::make_chan<int>();
  answer();
  {
    std::unique_lock hold(plain);
    const std::scoped_lock both(recursive, shared);
    const std::lock_guard again(recursive);
    hold.unlock();
  }
  take_job();
  {
    const std::lock_guard hold(plain);
    auto buffered = weft::make_chan<int>(1);
    buffered.send(1);  // does not wait
    weft::mutex free;
    const std::lock_guard quick(free);
  }
  std::mutex waited;
  std::unique_lock hold(waited);
  hold.unlock();
  take_job();
  END;
  return 0;
}
