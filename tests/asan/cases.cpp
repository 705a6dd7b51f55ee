// SPDX-License-Identifier: Apache-2.0
// Bugs planted on goroutines, which AddressSanitizer and LeakSanitizer must find; and the same
// without the bugs. asan_cases NAME.
#include <sys/syscall.h>
#include <unistd.h>
#include <weft/weft.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

/// Values that the compiler cannot follow.
template <class T>
__attribute__((noinline)) T hidden(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

/// Returns on another thread: blocks it in the kernel until its P is taken.
__attribute__((noinline)) void migrate() {
  const long before = ::syscall(SYS_gettid);
  for (long nap_ns = 50'000; ::syscall(SYS_gettid) == before; nap_ns *= 2) {
    weft::blocking([nap_ns] {
      const timespec nap{nap_ns / 1'000'000'000, nap_ns % 1'000'000'000};
      ::nanosleep(&nap, nullptr);  // sleeps on purpose: this is the call that blocks
    });
    weft::yield();
  }
}

/// Leaves a throw behind on this stack, which unpoisons frames.
__attribute__((noinline)) void throw_and_catch() {
  try {
    weft::yield();
    throw std::runtime_error("on purpose");
  } catch (const std::runtime_error&) {
    weft::yield();
  }
}

__attribute__((noinline)) int* address_of_local() {
  int local[4] = {1, 2, 3, 4};
  return hidden(&local[0]);
}

__attribute__((noinline)) void write_behind(int length) {
  char text[16];
  std::memset(hidden(&text[0]), 'x', static_cast<size_t>(hidden(length)));
}

void stack_use_after_return() { *address_of_local() = 5; }

void use_after_return_after_a_throw() {
  throw_and_catch();
  *address_of_local() = 5;
}

void use_after_return_after_migration() {
  int* stale = address_of_local();
  migrate();
  *stale = 5;
}

void stack_overflow_after_a_throw() {
  throw_and_catch();
  write_behind(17);
}

void heap_use_after_free_after_migration() {
  int* p = new int(1);
  int* stale = hidden(p);
  delete p;
  migrate();
  *stale = 2;
}

void heap_overflow_in_a_channel_buffer() {
  auto c = weft::make_chan<std::string>(2);
  c.send(std::string(100, 'x'));
  auto text = c.recv();
  text->data()[hidden(101)] = 'y';
}

void leak() { hidden(new int[100])[0] = 1; }

void leak_after_a_throw() {
  throw_and_catch();
  hidden(new int[100])[0] = 1;
}

/// Where a leak check at exit must look: stacks, saved registers, frames that outlived their
/// addresses' stack, closures that have not begun, goroutine locals, timers.
void left_behind_at_exit() {
  static weft::chan<int> never = weft::make_chan<int>();
  static weft::local<std::string> name;
  for (int i = 0; i < 40; ++i) {
    weft::go([text = std::string(100, 'c')] {
      const std::string on_stack(100, 's');
      auto* const plain = hidden(new int[100]);
      *name = std::string(100, 'l');
      never.recv();
      std::printf("%s%s%d", text.c_str(), on_stack.c_str(), plain[0]);
    });
    weft::go([held = std::make_unique<int>(i)] { weft::sleep_for(std::chrono::hours(*held + 1)); });
  }
  weft::go([held = std::make_unique<int>(1)] {
    weft::blocking([] { ::sleep(3600); });
    ++*held;
  });
  weft::after_func(std::chrono::hours(1), [held = std::make_unique<int>(1)] { ++*held; });
  static weft::ticker hourly(std::chrono::hours(1));
  for (int i = 0; i < 100; ++i) weft::yield();
  {
    // Its labels are all that refers to them: both when it has begun, and when it has not.
    const weft::prof::scope named(weft::prof::labels("route", std::string(100, 'r')));
    weft::go([] { never.recv(); });
  }
  for (int i = 0; i < 10; ++i) weft::yield();
  {
    const weft::prof::scope named(weft::prof::labels("route", std::string(100, 'q')));
    weft::go([] { never.recv(); });
  }
  weft::go([held = std::make_unique<int>(1)] { ++*held; });  // not begun when the process ends
}

/// Made before all static objects, so its destructor comes after theirs.
struct waiter {
  bool waits = false;
  ~waiter() {
    if (waits) ::usleep(50'000);  // another thread goes on meanwhile, which is the subject
  }
};
[[gnu::init_priority(101)]] waiter first;

/// Sentinels are static objects, and a goroutine that was left behind still uses them while their
/// destructors run.
void errors_at_exit() {
  weft::go([] {
    weft::blocking([] {
      for (;;) {
        const weft::error copy = weft::net::closed;
        if (copy.message().empty()) std::abort();
      }
    });
  });
  for (int i = 0; i < 10; ++i) weft::yield();
  first.waits = true;
}

/// A parked goroutine hides no leak of others, nor does one that has ended.
void leak_beside_goroutines_left_behind() {
  left_behind_at_exit();
  weft::spawn(leak).join();
}

/// Everything above, without the bugs.
void clean() {
  throw_and_catch();
  write_behind(16);
  auto p = std::make_unique<int>(1);
  migrate();
  *p = 2;
  throw_and_catch();
  auto c = weft::make_chan<std::string>(2);
  c.send(std::string(100, 'x'));
  c.recv()->data()[99] = 'y';
}

struct bug {
  const char* name;
  void (*body)();
};
constexpr bug bugs[] = {
    {"stack_use_after_return", stack_use_after_return},
    {"use_after_return_after_a_throw", use_after_return_after_a_throw},
    {"use_after_return_after_migration", use_after_return_after_migration},
    {"stack_overflow_after_a_throw", stack_overflow_after_a_throw},
    {"heap_use_after_free_after_migration", heap_use_after_free_after_migration},
    {"heap_overflow_in_a_channel_buffer", heap_overflow_in_a_channel_buffer},
    {"leak", leak},
    {"leak_after_a_throw", leak_after_a_throw},
    {"leak_beside_goroutines_left_behind", leak_beside_goroutines_left_behind},
    {"left_behind_at_exit", left_behind_at_exit},
    {"errors_at_exit", errors_at_exit},
    {"clean", clean},
};

/// On one P with two others that yield: there is always a thread that takes a blocked one's P.
void run_on_goroutine(void (*body)()) {
  weft::run({.procs = 1}, [body] {
    bool goes_on = true;
    weft::wait_group crowd;
    for (int i = 0; i < 2; ++i)
      crowd.go([&goes_on] {
        while (*hidden(&goes_on)) weft::yield();
      });
    weft::spawn(body).join();
    *hidden(&goes_on) = false;
    crowd.wait();
  });
}

}  // namespace

int main(int argc, char** argv) {
  for (const bug& each : bugs)
    if (argc == 2 && std::strcmp(argv[1], each.name) == 0) {
      run_on_goroutine(each.body);
      return 0;
    }
  std::fprintf(stderr, "usage: %s NAME\n", argv[0]);
  return 2;
}
