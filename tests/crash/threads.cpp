// SPDX-License-Identifier: Apache-2.0
// Reports of processes whose other threads are busy, deaf or foreign; of broken heaps and of
// crowds.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "tests/crash/cases.hpp"
#include "weft/weft.hpp"

using namespace std::chrono_literals;
using crash::arrived;

namespace {

weft::chan<int> never = nullptr;

#ifdef WEFT_DEBUG_BUILD
constexpr bool debug_build = true;
#else
constexpr bool debug_build = false;
#endif

void wait_for_arrivals(int count) {
  while (arrived.load() < count) weft::yield();
}

}  // namespace

FRAME void lose() {
  weft::panic("lost");  // @lose
}

// --- goroutines on other threads -----------------------------------------------------------------
FRAME void sleep_in_kernel() {
  ++arrived;               // @sleep_in_kernel
  while (true) ::pause();  // @sleep_in_kernel
}
FRAME void announce_sleep() {
  weft::blocking([] { sleep_in_kernel(); });  // @announce_sleep
  END;
}
CASE(blocked_threads) {
  weft::go({.name = "plain"}, &sleep_in_kernel);     // @go_sleep_in_kernel
  weft::go({.name = "announced"}, &announce_sleep);  // @go_announce_sleep
  wait_for_arrivals(2);
  lose();  // @blocked_threads
  END;
  return 0;
}

FRAME void hear_nothing() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  sleep_in_kernel();  // @hear_nothing
  END;
}
CASE(deaf_thread) {
  weft::go(&hear_nothing);  // @go_hear_nothing
  wait_for_arrivals(1);
  lose();  // @deaf_thread
  END;
  return 0;
}

extern "C" void realtime_handler(int) { _exit(9); }

FRAME void spin_for_ever() {
  ++arrived;                        // @spin_for_ever
  while (arrived.load() >= 0) END;  // @spin_for_ever
}
CASE(realtime_signals) {
  std::signal(SIGRTMAX, realtime_handler);
  std::signal(SIGRTMAX - 1, SIG_IGN);
  weft::go(&spin_for_ever);  // @go_spin_for_ever
  wait_for_arrivals(1);
  lose();  // @realtime_signals
  END;
  return 0;
}

FRAME void guest_waits() {
  (void)never.recv();  // @guest_waits
  END;
}
CASE(deadlock_of_guest) {
  never = weft::make_chan<int>();
  std::thread guest([] {
    guest_waits();  // @deadlock_of_guest
    END;
  });
  (void)never.recv();  // @main_waits
  END;
  return 0;
}

// --- limits --------------------------------------------------------------------------------------
/// WEFT_MAXTHREADS=4, one P: each blocked goroutine keeps a thread, and the fourth needs a fifth.
CASE(thread_exhaustion) {
  int ends[2];
  if (::pipe(ends) != 0) return 98;
  for (int i = 0; i < 8; ++i)
    weft::go([&] {
      char byte = 0;
      weft::blocking([&] { return ::read(ends[0], &byte, 1); });
    });
  (void)never.recv();
  END;
  return 0;
}

// --- broken heaps --------------------------------------------------------------------------------
/// As memset(), behind the compiler's back: it knows how large what malloc() returns is.
FRAME void overwrite(char* at, size_t bytes) {
  volatile char* to = at;
  for (size_t i = 0; i < bytes; ++i) to[i] = 0x41;
}
/// Overwrites the heads of chunks in use and of free ones, and the size of what is left at the end.
FRAME void smash_heap() {
  constexpr int count = 4000;
  constexpr size_t last_bytes = 100'000;
  static char* chunks[count];
  static size_t sizes[count];
  for (int i = 0; i < count; ++i) {
    sizes[i] = 24 + static_cast<size_t>(i % 97) * 40;
    chunks[i] = static_cast<char*>(std::malloc(sizes[i]));
  }
  char* last = static_cast<char*>(std::malloc(last_bytes));
  for (int i = 0; i < count; i += 2) std::free(chunks[i]);
  for (int i = 0; i < count; ++i) overwrite(chunks[i] - 8, sizes[i] + 8);
  overwrite(last + last_bytes, 64);
  END;
}
FRAME void use_heap() {
  void* volatile p = std::malloc(200'000);  // @use_heap
  (void)p;
  END;
}
CASE(broken_heap) {
  weft::go(&spin_for_ever);  // @go_broken_heap
  wait_for_arrivals(1);
  smash_heap();
  use_heap();  // @broken_heap
  END;
  return 0;
}
CASE(fatal_on_broken_heap) {
  weft::mutex m;
  smash_heap();
  m.unlock();  // @fatal_on_broken_heap
  END;
  return 0;
}

// --- in the loader -------------------------------------------------------------------------------
CASE(broken_library) {
  void* library = ::dlopen(WEFT_BROKEN_LIBRARY, RTLD_NOW);  // @broken_library
  return library != nullptr ? 0 : 98;
}

// --- crowds --------------------------------------------------------------------------------------
FRAME void stand_about() {
  ++arrived;
  (void)never.recv();  // @stand_about
  END;
}
FRAME void look_about() {
  ++arrived;
  weft::select(weft::on_recv(never), weft::on_recv(never));  // @look_about
  END;
}
/// From now on the process has one second of CPU time, user's and kernel's; then SIGPROF kills it.
/// CPU time, so that what else the machine does is no part of it: some 0.2 s are needed. The debug
/// build is not what anybody waits for.
FRAME void die_within_a_second() {
  const itimerval limit{.it_interval = {}, .it_value = {debug_build ? 20 : 1, 0}};
  (void)::setitimer(ITIMER_PROF, &limit, nullptr);
  END;
}
CASE(crowd_of_100000) {
  never = weft::make_chan<int>();
  for (int i = 0; i < 60'000; ++i) weft::go(&stand_about);  // @go_stand_about
  for (int i = 0; i < 40'000; ++i) weft::go(&look_about);   // @go_look_about
  wait_for_arrivals(100'000);
  for (int i = 0; i < 3; ++i) weft::yield();
  die_within_a_second();
  lose();  // @crowd_of_100000
  END;
  return 0;
}
