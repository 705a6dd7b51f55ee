// SPDX-License-Identifier: Apache-2.0
// Programs that must die with exactly the report in golden/CASE.txt (see run.py). A comment `@name`
// at the end of a line is what the golden files call that line.
#include "tests/crash/cases.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

weft::chan<int> never;
weft::mutex* lock;
using crash::arrived;

/// Runs others until `count` of them have arrived where they park.
void settle(int count) {
  while (arrived.load() < count) weft::yield();
  for (int i = 0; i < 100; ++i) weft::yield();
}

}  // namespace

FRAME void wait_for_jobs() {
  ++arrived;
  (void)never.recv();  // @recv
  END;
}
FRAME void wait_for_lock() {
  ++arrived;
  lock->lock();  // @lock
  END;
}
FRAME void sleep_long() {
  ++arrived;
  weft::sleep_for(std::chrono::hours(1));  // @sleep
  END;
}
FRAME void start_two() {
  weft::go({.name = "jobs"}, &wait_for_jobs);  // @go_jobs
  weft::go(&sleep_long);                       // @go_sleep
  settle(2);
  END;
}

FRAME void lose_queue() {
  weft::panic("queue lost\nsecond line");  // @panic
}
FRAME int panic_case() {
  lose_queue();  // @call_panic
  END;
  return 0;
}
FRAME int panic_with_others_case() {
  start_two();
  lose_queue();  // @call_panic_with_others
  END;
  return 0;
}

FRAME void throw_it() {
  throw std::runtime_error("disk full");  // @throw
}
FRAME void throwing_goroutine() {
  throw_it();  // @call_throw
  END;
}
FRAME int uncaught_case() {
  weft::go(&throwing_goroutine);  // @go_throw
  (void)never.recv();
  END;
  return 0;
}

FRAME int nested_case() {
  try {
    throw_it();
  } catch (...) {
    std::throw_with_nested(std::logic_error("cannot save"));  // @nested
  }
  END;
  return 0;
}

FRAME int deadlock_case() {
  lock->lock();
  weft::go(&wait_for_lock);                    // @go_lock
  weft::go({.name = "jobs"}, &wait_for_jobs);  // @go_jobs_deadlock
  (void)never.recv();                          // @main_recv
  END;
  return 0;
}
FRAME int crowd_case() {
  for (int i = 0; i < 1500; ++i) weft::go(&wait_for_jobs);  // @go_crowd
  (void)never.recv();                                       // @crowd_recv
  END;
  return 0;
}

volatile int deepest = 1 << 30;
FRAME int recurse(int depth) {
  if (depth == deepest) return 0;
  volatile char page[256];
  page[depth % 256] = 1;
  const int below = recurse(depth + 1);  // @recurse
  return below + page[0];
}
FRAME int overflow_case() {
  start_two();
  const int result = recurse(0);  // @call_recurse
  END;
  return result;
}

FRAME void store(volatile int* to) {
  *to = 1;  // @store
  END;
}
FRAME int null_case() {
  store(nullptr);  // @call_store
  END;
  return 0;
}
FRAME int fault_case() {
  // Not mapped: the kernel keeps this page free on both architectures (vm.mmap_min_addr is 64 KiB).
  store(reinterpret_cast<volatile int*>(0x2000));  // @call_fault
  END;
  return 0;
}
FRAME int call_null_case() {
  void (*volatile none)() = nullptr;
  none();  // @call_null
  END;
  return 0;
}
#if defined(__x86_64__)
FRAME int divide_case() {
  volatile int one = 1, zero = 0;
  volatile int result = one / zero;  // @divide
  return result;
}
#endif

FRAME int quit_case() {
  start_two();
  std::raise(SIGQUIT);  // @quit
  END;
  return 0;
}
FRAME int abort_case() {
  std::abort();  // @abort
}
FRAME int unlock_case() {
  lock->unlock();  // @unlock
  END;
  return 0;
}
FRAME int bug_case() {
  weft::rt::bug("counter is %d, must be %d", 7, 8);  // @bug
}

FRAME void spin() {
  ++arrived;                          // @spin
  while (arrived.load() < 1000) END;  // @spin
}
FRAME int other_thread_case() {
  weft::go(&spin);  // @go_spin
  while (arrived.load() < 1) weft::yield();
  lose_queue();  // @call_panic_other
  END;
  return 0;
}

FRAME int user_handler_case() {
  store(nullptr);
  END;
  return 0;
}
FRAME int fine_case() { return 0; }

extern "C" void user_handler(int) {
  static constexpr char text[] = "the user's handler\n";
  (void)!::write(2, text, sizeof text - 1);
  ::_exit(7);
}

FRAME int run_listed(const crash::listed& e) {
  const int status = e.plain ? e.run() : weft::run(e.run);  // @run_listed
  END;
  return status;
}

int main(int count, char** arguments) {
  struct entry {
    const char* name;
    int (*run)();
  };
  static constexpr entry cases[] = {
      {"panic", panic_case},
      {"panic_with_others", panic_with_others_case},
      {"uncaught", uncaught_case},
      {"nested", nested_case},
      {"deadlock", deadlock_case},
      {"crowd", crowd_case},
      {"overflow", overflow_case},
      {"null", null_case},
      {"fault", fault_case},
      {"call_null", call_null_case},
#if defined(__x86_64__)
      {"divide", divide_case},
#endif
      {"quit", quit_case},
      {"abort", abort_case},
      {"unlock", unlock_case},
      {"bug", bug_case},
      {"other_thread", other_thread_case},
      {"user_handler", user_handler_case},
      {"fine", fine_case},
  };
  const char* wanted = count > 1 ? arguments[1] : "";
  if (std::strcmp(wanted, "user_handler") == 0) std::signal(SIGSEGV, user_handler);
  for (const entry& e : cases) {
    if (std::strcmp(wanted, e.name) != 0) continue;
    never = weft::make_chan<int>();
    lock = new weft::mutex;
    return weft::run(e.run);
  }
  for (const crash::listed* e = crash::listed::first; e != nullptr; e = e->next) {
    if (std::strcmp(wanted, e->name) != 0) continue;
    const int status = run_listed(*e);  // @main
    END;
    return status;
  }
  std::fprintf(stderr, "no case named '%s'\n", wanted);
  return 99;
}
