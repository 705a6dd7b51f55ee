// SPDX-License-Identifier: Apache-2.0
// What the library says when it is used wrongly and nobody catches it: one case for each text of
// fatal() and panic() that a program can reach.
#include <sys/resource.h>

#include <csignal>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "tests/crash/cases.hpp"
#include "weft/base/panic.hpp"
#include "weft/net/internal/fd_mutex.hpp"
#include "weft/net/notify.hpp"
#include "weft/sched/sim.hpp"
#include "weft/weft.hpp"

using namespace std::chrono_literals;

CASE(rw_unlock) {
  weft::rw_mutex m;
  m.unlock();  // @rw_unlock
  END;
  return 0;
}
CASE(rw_runlock) {
  weft::rw_mutex m;
  m.unlock_shared();  // @rw_runlock
  END;
  return 0;
}
CASE(negative_counter) {
  weft::wait_group g;
  g.done();  // @negative_counter
  END;
  return 0;
}
CASE(reused_group) {
  weft::wait_group g;
  g.add(1);
  weft::go([&] {
    g.done();
    g.add(1);
  });
  g.wait();  // @reused_group
  END;
  return 0;
}
CASE(close_nil) {
  weft::chan<int> c;
  c.close();  // @close_nil
  END;
  return 0;
}
CASE(close_closed) {
  auto c = weft::make_chan<int>();
  c.close();
  c.close();  // @close_closed
  END;
  return 0;
}
CASE(send_closed) {
  auto c = weft::make_chan<int>();
  c.close();
  c.send(1);  // @send_closed
  END;
  return 0;
}
CASE(send_closed_meanwhile) {
  auto c = weft::make_chan<int>();
  weft::go([=] { c.close(); });
  c.send(1);  // @send_closed_meanwhile
  END;
  return 0;
}
CASE(makechan_size) {
  (void)weft::make_chan<int>(int64_t{1} << 62);  // @makechan_size
  END;
  return 0;
}
CASE(select_too_many) {
  std::vector<weft::select_case> cases;
  cases.reserve(65537);
  auto c = weft::make_chan<int>();
  for (int i = 0; i < 65537; ++i) cases.emplace_back(weft::on_recv(c));
  (void)weft::select_any(cases);  // @select_too_many
  END;
  return 0;
}
CASE(semaphore_release) {
  weft::semaphore s(1);
  s.release();  // @semaphore_release
  END;
  return 0;
}
CASE(group_limit) {
  weft::group g;
  g.limit(2);
  g.go([] { weft::sleep_for(1h); });
  g.limit(3);  // @group_limit
  END;
  return 0;
}
CASE(nil_context) {
  const weft::context none;
  (void)none.done();  // @nil_context
  END;
  return 0;
}
CASE(nil_parent) {
  (void)weft::with_cancel({});  // @nil_parent
  END;
  return 0;
}
CASE(nil_key) {
  (void)weft::with_value(weft::background(), nullptr, 1);  // @nil_key
  END;
  return 0;
}
CASE(timer_stop) {
  weft::timer t;
  t.stop();  // @timer_stop
  END;
  return 0;
}
CASE(timer_reset) {
  weft::timer t;
  t.reset(1s);  // @timer_reset
  END;
  return 0;
}
CASE(ticker_interval) {
  const weft::ticker t(0s);  // @ticker_interval
  END;
  return 0;
}
CASE(ticker_reset) {
  weft::ticker t(1h);
  t.reset(0s);  // @ticker_reset
  END;
  return 0;
}
CASE(ticker_uninitialized) {
  weft::ticker t;
  t.reset(1s);  // @ticker_uninitialized
  END;
  return 0;
}
CASE(join_twice) {
  auto t = weft::spawn([] {});
  t.join();
  t.join();  // @join_twice
  END;
  return 0;
}
CASE(maxprocs) {
  (void)weft::maxprocs(2000);  // @maxprocs
  END;
  return 0;
}
CASE(run_inside) {
  weft::run([] {});  // @run_inside
  END;
  return 0;
}
PLAIN_CASE(run_procs) {
  weft::run({.procs = 2000}, [] {});
  return 0;
}
CASE(run_twice) {
  auto failed = weft::make_chan<int>();
  std::thread([failed] {
    try {
      weft::run([] {});
    } catch (const weft::panic_error& e) {
      failed.send(std::string_view(e.what()) == "weft::run: already running on another thread");
    }
  }).detach();
  if (failed.recv() == 1)
    weft::panic("weft::run: already running on another thread");  // @run_twice
  END;
  return 0;
}
CASE(notify_signal) {
  (void)weft::net::notify_context(weft::background(), {SIGKILL});  // @notify_signal
  END;
  return 0;
}
CASE(notify_descriptors) {
  rlimit few{};
  ::getrlimit(RLIMIT_NOFILE, &few);
  few.rlim_cur = 0;
  ::setrlimit(RLIMIT_NOFILE, &few);
  (void)weft::net::notify_context(weft::background(), {SIGUSR1});  // @notify_descriptors
  END;
  return 0;
}
CASE(socket_operations) {
  weft::rt::fd_mutex m;
  for (int i = 0; i < 2'000'000; ++i) (void)m.incref();  // @socket_operations
  END;
  return 0;
}
CASE(no_stack) {
  const rlimit little{1 << 30, RLIM_INFINITY};  // in use already
  ::setrlimit(RLIMIT_AS, &little);
  weft::go({.name = {}, .stack = 1 << 30}, [] {});  // @no_stack
  END;
  return 0;
}

CASE(sim_wait) {
  weft::sim::wait();  // @sim_wait
  END;
  return 0;
}
CASE(sim_inside) {
  weft::sim::run(1, [] {});  // @sim_inside
  END;
  return 0;
}
FRAME void start_three_waiters() {
  for (int i = 0; i < 3; ++i) weft::go([] { weft::sim::wait(); });
  weft::sleep_for(1s);
  END;
}
PLAIN_CASE(sim_two_waiters) {
  weft::sim::run(1, start_three_waiters);  // @sim_two_waiters
  END;
  return 0;
}
CASE(sim_active) {
  std::thread([] { weft::sim::run(1, [] {}); }).join();  // @sim_active
  END;
  return 0;
}
PLAIN_CASE(sim_seed) {
  weft::sim::explore(1, [] {});
  return 0;
}
PLAIN_CASE(sim_deadlock) {
  weft::sim::run(1, [] { (void)weft::make_chan<int>().recv(); });  // @sim_deadlock
  return 0;
}

PLAIN_CASE(no_descriptors) {
  const rlimit few{3, 3};
  ::setrlimit(RLIMIT_NOFILE, &few);
  return weft::run([] {});
}
PLAIN_CASE(no_address_space) {
  const rlimit little{rlim_t{512} << 20, rlim_t{512} << 20};
  ::setrlimit(RLIMIT_AS, &little);
  return weft::run([] {});
}
