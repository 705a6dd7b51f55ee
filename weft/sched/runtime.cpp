// SPDX-License-Identifier: Apache-2.0
// yield, sleep, blocking, maxprocs and the small questions a goroutine may ask.
#include "weft/sched/runtime.hpp"

#include <cstdio>

#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft {

void yield() noexcept {
  const rt::section entered(rt::may_park);
  rt::yield_now();
}

namespace {
/// Lies on the sleeper's stack; gone as soon as the sleeper runs again.
struct sleeper {
  rt::timer_node node;
  rt::goroutine* gp = nullptr;
  int64_t when_ns = 0;
};

void sleep_until_ns(int64_t when_ns) noexcept {
  const rt::section entered(rt::may_park);
  if (rt::this_machine()->is_guest) {
    const int64_t now = rt::now_ns();
    if (when_ns > now) rt::os::sleep_ns(when_ns - now);
    return;
  }
  sleeper self;
  self.gp = rt::current();
  self.when_ns = when_ns;
  self.node.argument = &self;
  self.node.fire = [](rt::timer_node* node, int64_t) noexcept {
    rt::ready(static_cast<sleeper*>(node->argument)->gp);
  };
  // Armed by the commit: the timer may fire on another thread the moment it is armed.
  rt::park(
      [](rt::goroutine*, void* argument) noexcept {
        auto* waiting = static_cast<sleeper*>(argument);
        rt::arm(waiting->node, waiting->when_ns);
        return true;
      },
      &self, rt::wait_reason::sleep, nullptr);
}
}  // namespace

void sleep_for(std::chrono::nanoseconds duration) noexcept {
  const int64_t ns = duration.count();
  if (ns <= 0) return;
  const int64_t now = rt::now_ns();
  sleep_until_ns(ns > INT64_MAX - now ? INT64_MAX - 1 : now + ns);
}

void sleep_until(std::chrono::steady_clock::time_point when) noexcept {
  const int64_t ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
  if (ns > rt::now_ns()) sleep_until_ns(ns);
}

std::chrono::steady_clock::time_point now() noexcept {
  // steady_clock is CLOCK_MONOTONIC in libstdc++ and libc++ on Linux.
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(
          std::chrono::nanoseconds(rt::now_ns())));
}

int maxprocs(int n) {
  const int before = static_cast<int>(rt::sched.procs.load(rt::relaxed));
  if (n < 1 || n == before || rt::sim_enabled) return before;
  if (n > static_cast<int>(rt::procs_max)) {
    char text[96];
    std::snprintf(text, sizeof text, "weft::maxprocs(%d): at most %u processors (procs_max)", n,
                  rt::procs_max);
    panic(text);
  }
  if (rt::sched.run_callers.load(rt::acquire) == 0) return before;
  const rt::section entered(rt::may_park);
  if (!rt::stop_the_world(true)) return before;
  const int stopped = static_cast<int>(rt::sched.procs.load(rt::relaxed));
  rt::start_the_world(static_cast<uint32_t>(n));
  return stopped;
}

int64_t num_goroutine() noexcept { return static_cast<int64_t>(rt::count_goroutines()); }

uint64_t goroutine_id() noexcept {
  const rt::section entered(rt::leaf);
  return rt::current()->id;
}

namespace rt {

blocking_scope::blocking_scope() noexcept {
  machine* mp = this_machine();
  if (mp == nullptr || mp->is_guest) return;
  // The P may go on without this thread, and then with its cache: a thread that blocks strands no
  // memory. What the call allocates comes from a spare one.
  if (try_enter_section()) {
    heap_detach_cache(mp->p->cache);
    if ((probes.now() & probe_trace) != 0) trace_blocking_begins();
    leave_section();
  }
  mp->announced.store(1, relaxed);
  // A monitor in a nap would come too late to be of use. It looks every 20 us for a while then, so
  // calls in a row pay for one wake-up a millisecond.
  if (sched.blocking_announced.load(relaxed) != 0) return;
  sched.blocking_announced.store(1, seq_cst);  // publish, check; partner: sysmon's sleep_for()
  if (sched.sysmon_sleeps.load(seq_cst) != 0) wake_sysmon();
}

blocking_scope::~blocking_scope() {
  // The thread of now: if the call inside parked, the first one was cleared by the switch.
  machine* mp = this_machine();
  if (mp == nullptr) return;
  mp->announced.store(0, relaxed);
  if (mp->is_guest || !try_enter_section()) return;
  heap_attach_cache(mp->p->cache);
  if ((probes.now() & probe_trace) != 0) trace_blocking_ends();
  leave_section();
}

}  // namespace rt
}  // namespace weft
