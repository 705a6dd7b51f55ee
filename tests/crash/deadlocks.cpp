// SPDX-License-Identifier: Apache-2.0
// Deadlocks: whatever the goroutines wait in, and whatever had to end before nothing could wake
// them. That nothing else is taken for one: tests/conformance/deadlock_test.cpp.
#include <unistd.h>

#include <thread>

#include "tests/crash/cases.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/weft.hpp"

using namespace std::chrono_literals;

namespace {

weft::chan<int> nothing;  // nil: nobody ever receives from it

}  // namespace

FRAME void wait_for_ever() {
  (void)nothing.recv();  // @wait_for_ever
  END;
}

// --- what goroutines wait in ---------------------------------------------------------------------
struct everything {
  weft::rw_mutex read_held, write_held;
  weft::wait_group group;
  weft::mutex for_cond;
  weft::cond cond;
  weft::semaphore semaphore{1};
  weft::chan<int> c = weft::make_chan<int>();
};

CASE(deadlock_everywhere) {
  auto* e = new everything;
  e->read_held.lock_shared();
  e->write_held.lock();
  e->group.add(1);
  e->semaphore.acquire();
  weft::go({.name = "send"}, [e] { e->c.send(1); });
  weft::go({.name = "select"},
           [e] { weft::select(weft::on_recv(nothing), weft::on_send(e->c, 1)); });
  weft::go({.name = "select none"}, [] { (void)weft::select_any({}); });
  weft::go({.name = "send nil"}, [] { nothing.send(1); });
  weft::go({.name = "write"}, [e] { e->read_held.lock(); });
  weft::go({.name = "read"}, [e] { e->write_held.lock_shared(); });
  weft::go({.name = "group"}, [e] { e->group.wait(); });
  weft::go({.name = "cond"}, [e] {
    e->for_cond.lock();
    e->cond.wait(e->for_cond);
  });
  weft::go({.name = "semaphore"}, [e] { e->semaphore.acquire(); });
  weft::go({.name = "task"}, [] { weft::spawn([] { wait_for_ever(); }).join(); });
  wait_for_ever();  // @deadlock_everywhere
  END;
  return 0;
}

// --- what had to end -----------------------------------------------------------------------------
CASE(deadlock_timers_stopped) {
  weft::timer timer(1h);
  weft::ticker ticker(1h);
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 1h);
  weft::timer later = weft::after_func(1h, [] {});
  weft::sleep_for(1ms);  // one that has fired, too
  (void)timer.stop();
  ticker.stop();
  cancel();
  (void)later.stop();
  wait_for_ever();  // @deadlock_timers_stopped
  END;
  return 0;
}
/// The last waiter of the network is turned away while another thread waits there without limit:
/// that thread must notice that nothing can come any more.
CASE(deadlock_network_idle) {
  auto listening = weft::net::listen("tcp", "127.0.0.1:0");
  weft::go({.name = "accept"}, [l = *listening] {
    (void)l.accept();
    wait_for_ever();
  });
  const weft::rt::scheduler& s = weft::rt::sched;
  while (weft::rt::netpoll_waiters() == 0 || s.last_poll.load(weft::rt::seq_cst) != 0 ||
         s.poll_until.load(weft::rt::seq_cst) != 0)
    weft::yield();
  listening->close();
  wait_for_ever();  // @deadlock_network_idle
  END;
  return 0;
}
CASE(deadlock_after_blocking) {
  weft::go({.name = "blocking"}, [] {
    weft::blocking([] { ::usleep(50'000); });  // others park meanwhile, and that is no deadlock
    wait_for_ever();
  });
  wait_for_ever();  // @deadlock_after_blocking
  END;
  return 0;
}
CASE(deadlock_while_profiling) {
  if (!weft::prof::start_cpu() || !weft::prof::start_wall()) return 1;
  wait_for_ever();  // @deadlock_while_profiling
  END;
  return 0;
}
CASE(deadlock_after_stranger) {
  std::thread([] { ::usleep(50'000); }).detach();  // might have called Weft until it ended
  wait_for_ever();                                 // @deadlock_after_stranger
  END;
  return 0;
}
CASE(deadlock_after_guest) {
  std::thread([] { weft::sleep_for(20ms); }).detach();
  wait_for_ever();  // @deadlock_after_guest
  END;
  return 0;
}
