// SPDX-License-Identifier: Apache-2.0
// Signals, terminate and the stacks they meet: every way in which the machine or the language ends
// a program.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <thread>

#include "tests/crash/cases.hpp"
#include "weft/weft.hpp"

namespace {

/// Never true, and the compiler does not know.
volatile bool no = false;
volatile int sink;

}  // namespace

FRAME void touch(volatile int* to) {
  *to = 1;  // @touch
  END;
}

// --- signals -------------------------------------------------------------------------------------
CASE(bus) {
  const int fd = ::memfd_create("short", 0);
  void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  touch(static_cast<int*>(at));  // @bus
  END;
  return 0;
}
CASE(illegal) {
#if defined(__x86_64__)
  asm volatile("ud2");  // @illegal
#else
  asm volatile("udf #0");  // @illegal
#endif
  END;
  return 0;
}
CASE(fpe_raised) {
  std::raise(SIGFPE);  // @fpe_raised
  END;
  return 0;
}
CASE(segv_sent) {
  std::raise(SIGSEGV);  // @segv_sent
  END;
  return 0;
}
CASE(ill_on_guest) {
  std::thread([] {
    std::raise(SIGILL);  // @ill_on_guest
    END;
  }).join();  // @join_ill_on_guest
  return 0;
}
CASE(null_on_guest) {
  std::thread([] {
    (void)weft::goroutine_id();  // the runtime knows this thread
    touch(nullptr);              // @null_on_guest
    END;
  }).join();
  return 0;
}
CASE(null_on_stranger) {
  std::thread([] {
    touch(nullptr);  // @null_on_stranger
    END;
  }).join();
  return 0;
}

// --- terminate -----------------------------------------------------------------------------------
FRAME void throw_error(const char* text) {
  throw std::runtime_error(text);  // @throw_error
}
FRAME void promise_nothing() noexcept {
  throw_error("not allowed here");  // @promise_nothing
  END;
}
CASE(noexcept_broken) {
  promise_nothing();  // @noexcept_broken
  END;
  return 0;
}
CASE(terminate) {
  std::terminate();  // @terminate
}
CASE(joinable_thread) {
  {
    const std::thread never_joined([] { ::pause(); });
  }  // @joinable_thread
  END;
  return 0;
}
struct throws_at_end {
  FRAME ~throws_at_end() noexcept(false) {
    if (!no) throw_error("second");  // @throws_at_end
    END;
  }
};
CASE(throw_while_unwinding) {
  try {
    const throws_at_end at_end;
    throw_error("first");
  } catch (const std::exception&) {  // @throw_while_unwinding
    return 1;
  }
  return 0;
}
struct base {
  base() { call(); }  // @base
  virtual ~base() = default;
  virtual void pure() = 0;
  FRAME void call() {
    pure();  // @call_pure
    END;
  }
};
struct derived : base {  // @derived
  void pure() override {}
};
CASE(pure_virtual) {
  const derived object;  // @pure_virtual
  END;
  return 0;
}
CASE(foreign_throw) {
  std::thread([] { throw std::runtime_error("on a thread of its own"); }).join();  // @foreign_throw
  return 0;
}
PLAIN_CASE(main_throw) {
  weft::run([] {});
  throw std::runtime_error("after the runtime");  // @main_throw
}

// --- dying while dying ---------------------------------------------------------------------------
struct broken_text : std::exception {
  [[nodiscard]] FRAME const char* what() const noexcept override {
    touch(nullptr);  // @broken_text
    END;
    return "";
  }
};
CASE(what_crashes) {
  throw broken_text();  // @what_crashes
}
struct what_throws_text : std::exception {
  [[nodiscard]] FRAME const char* what() const noexcept override {
    weft::panic("in what()");  // @what_throws_text
  }
};
CASE(what_throws) {
  throw what_throws_text();  // @what_throws
}

// --- stacks --------------------------------------------------------------------------------------
FRAME int dig(int depth) {
  volatile char page[200];
  page[depth % 200] = 1;
  if (no) return 0;
  const int below = dig(depth + 1);  // @dig
  return below + page[0];
}
/// A frame larger than any guard. The compiler is told to touch its pages one after another
/// (-fstack-clash-protection, tests/crash/CMakeLists.txt).
FRAME int huge_frame() {  // @huge_frame
  volatile char room[1 << 20];
  room[0] = 1;
  asm volatile("" : : "r"(room) : "memory");
  return room[0];
}
CASE(overflow_huge) {
  sink = huge_frame();  // @overflow_huge
  return 0;
}
CASE(overflow_small) {
  sink = dig(0);  // @overflow_small
  return 0;
}
PLAIN_CASE(overflow_main_thread) {
  weft::run([] {});
  sink = dig(0);  // @overflow_main_thread
  return 0;
}
CASE(overflow_guest) {
  std::thread([] {
    (void)weft::goroutine_id();
    sink = dig(0);  // @overflow_guest
  }).join();        // @join_overflow_guest
  return 0;
}
FRAME void full_stack(int depth) {
  volatile char page[200];
  page[depth % 200] = 1;
  const auto here = reinterpret_cast<uintptr_t>(page);
  // Down to the last page of the 16 KiB: the report has no room here.
  if ((here & (16 * 1024 - 1)) < 4096 + 1024) {
    weft::panic("no room left");  // @full_stack
  }
  if (!no) full_stack(depth + 1);  // @full_stack_more
  END;
}
CASE(panic_full_stack) {
  full_stack(0);  // @panic_full_stack
  END;
  return 0;
}

// --- handlers on the alternate stack -------------------------------------------------------------
extern "C" void broken_handler(int) {
  touch(nullptr);  // @broken_handler
  END;
}
extern "C" void digging_handler(int) {
  sink = dig(0);  // @digging_handler
  END;
}
CASE(overflow_in_handler) {
  struct sigaction own{};
  own.sa_handler = digging_handler;
  own.sa_flags = SA_ONSTACK;
  ::sigaction(SIGUSR1, &own, nullptr);
  std::raise(SIGUSR1);  // @overflow_in_handler
  END;
  return 0;
}
CASE(handler_crashes) {
  struct sigaction own{};
  own.sa_handler = broken_handler;
  own.sa_flags = SA_ONSTACK;
  ::sigaction(SIGUSR1, &own, nullptr);
  std::raise(SIGUSR1);  // @handler_crashes
  END;
  return 0;
}
