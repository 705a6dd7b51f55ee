// SPDX-License-Identifier: Apache-2.0
// What belongs to a thread and what travels with the goroutine: errno and the floating-point
// environment travel; thread_local variables, uselocale() and what libraries keep per thread stay.
// docs/guide/goroutines.md promises what is tested here.
#include <fenv.h>
#include <netdb.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cfenv>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <locale>
#include <map>
#include <mutex>
#include <sstream>
#include <string>

#include "matrix.hpp"
#include "weft/sched/local.hpp"

using matrix::crew;
using matrix::hop;

namespace {

constexpr int workers = 6;
constexpr int rounds = 6;

// Functions of their own, as the guide demands: inside one function a compiler may keep the address
// of errno, which is the thread's. The empty asm keeps link-time optimization from finding out that
// the function is attribute((const)) but for a value.
[[gnu::noinline]] void set_errno(int value) {
  asm volatile("" ::: "memory");
  errno = value;
}
[[gnu::noinline]] int get_errno() {
  asm volatile("" ::: "memory");
  return errno;
}

struct of_thread {
  long number = matrix::thread_number();
  int uses = 0;
};
thread_local of_thread mine;
thread_local long plain = 0;

[[gnu::noinline]] long number_of_thread() {
  asm volatile("" ::: "memory");
  ++mine.uses;
  return mine.number;
}
[[gnu::noinline]] void set_plain(long value) {
  asm volatile("" ::: "memory");
  plain = value;
}
[[gnu::noinline]] long get_plain() {
  asm volatile("" ::: "memory");
  return plain;
}

}  // namespace

// --- errno ---

MATRIX_CASE(errno_travels) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      set_errno(i * 100 + round);
      hop();
      MATRIX_EXPECT(get_errno() == i * 100 + round);
      weft::yield();
      MATRIX_EXPECT(get_errno() == i * 100 + round);
    }
  });
}

MATRIX_CASE(errno_of_a_failed_call) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      MATRIX_EXPECT(::close(i % 2 == 0 ? -1 : 1'000'000) == -1);
      hop();
      MATRIX_EXPECT(get_errno() == EBADF);
      char text[64];
      const char* format = "%m";  // not ISO C's: hidden from the warning
      asm volatile("" : "+r"(format));
      std::snprintf(text, sizeof text, format, 0);
      MATRIX_EXPECT(std::strcmp(text, "Bad file descriptor") == 0);
    }
  });
}

MATRIX_CASE(errno_begins_at_zero) {
  crew(workers, [](int) {
    set_errno(EIO);
    weft::task<void> child = weft::spawn([] {
      MATRIX_EXPECT(get_errno() == 0);
      hop();
      MATRIX_EXPECT(get_errno() == 0);
    });
    hop();
    child.join();
    hop();
    MATRIX_EXPECT(get_errno() == EIO);
  });
}

// --- thread_local ---

MATRIX_CASE(thread_local_is_the_threads) {
  crew(workers, [](int) {
    for (int round = 0; round < rounds; ++round) {
      MATRIX_EXPECT(number_of_thread() == matrix::thread_number());
      set_plain(matrix::thread_number());
      hop();
      MATRIX_EXPECT(number_of_thread() == matrix::thread_number());
      const long found = get_plain();  // zero, or what some goroutine left on this thread
      MATRIX_EXPECT(found == 0 || found == matrix::thread_number());
    }
  });
}

MATRIX_CASE(local_is_the_goroutines) {
  static weft::local<int> number;
  crew(workers, [](int i) {
    *number = i;
    for (int round = 0; round < rounds; ++round) {
      hop();
      MATRIX_EXPECT(*number == i);
    }
  });
}

// --- the C library's own ---

MATRIX_CASE(c_library) {
  crew(workers, [](int i) {
    for (int round = 0; round < rounds; ++round) {
      char words[] = "one two three";
      char* rest = nullptr;
      MATRIX_EXPECT(std::strcmp(::strtok_r(words, " ", &rest), "one") == 0);
      hop();
      MATRIX_EXPECT(std::strcmp(::strtok_r(nullptr, " ", &rest), "two") == 0);
      const std::time_t day = 86400L * (i + 1);
      std::tm parts{};
      MATRIX_EXPECT(::gmtime_r(&day, &parts) == &parts && parts.tm_mday == i + 2);
      MATRIX_EXPECT(::localtime_r(&day, &parts) == &parts);
      hop();
      // strerror() formats unknown numbers into a buffer of the thread.
      const std::string unknown = "Unknown error " + std::to_string(10'000 + i);
      MATRIX_EXPECT(std::strerror(10'000 + i) == unknown);
      MATRIX_EXPECT(std::rand() >= 0);
      addrinfo hints{};
      hints.ai_flags = AI_NUMERICHOST;
      hints.ai_socktype = SOCK_STREAM;
      addrinfo* found = nullptr;
      MATRIX_EXPECT(::getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
      hop();
      if (found != nullptr) ::freeaddrinfo(found);
      MATRIX_EXPECT(::getaddrinfo("no address", "80", &hints, &found) == EAI_NONAME);
    }
  });
}

// --- locales ---

namespace {
struct with_dots : std::numpunct<char> {
  explicit with_dots(char separator) : separator_(separator) {}
  char do_thousands_sep() const override { return separator_; }
  std::string do_grouping() const override { return "\3"; }
  char separator_;
};
}  // namespace

MATRIX_CASE(std_locale) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new with_dots('\'')));
  crew(workers, [](int i) {
    const char separator = static_cast<char>('a' + i);
    const std::locale own(std::locale(), new with_dots(separator));
    for (int round = 0; round < rounds; ++round) {
      std::ostringstream with_own;
      with_own.imbue(own);
      std::ostringstream with_global;
      with_own << 1234;
      hop();
      with_own << ' ' << 5678;
      with_global << 1234567;
      MATRIX_EXPECT(with_own.str() == std::string("1") + separator + "234 5" + separator + "678");
      MATRIX_EXPECT(with_global.str() == "1'234'567");
    }
  });
  std::locale::global(before);
}

// uselocale() is the thread's: used and put back without a park in between, it is nobody else's.
MATRIX_CASE(uselocale_put_back) {
  const locale_t own = ::newlocale(LC_ALL_MASK, "C", nullptr);
  crew(workers, [own](int) {
    for (int round = 0; round < rounds; ++round) {
      MATRIX_EXPECT(::uselocale(nullptr) == LC_GLOBAL_LOCALE);
      const locale_t old = ::uselocale(own);
      char text[32];
      std::snprintf(text, sizeof text, "%.1f", 0.5);
      MATRIX_EXPECT(std::strcmp(text, "0.5") == 0);
      ::uselocale(old);
      hop();
    }
  });
  ::freelocale(own);
}

// Left behind it stays with the thread, as documented: the goroutine finds the other thread's.
MATRIX_CASE(uselocale_left_behind) {
  static std::mutex guard;
  static std::map<long, locale_t> left;
  const auto expected = [] {
    const std::lock_guard<std::mutex> hold(guard);
    const auto at = left.find(matrix::thread_number());
    return at == left.end() ? LC_GLOBAL_LOCALE : at->second;
  };
  crew(workers, [&](int) {
    const locale_t own = ::newlocale(LC_ALL_MASK, "C", nullptr);
    for (int round = 0; round < rounds; ++round) {
      MATRIX_EXPECT(::uselocale(nullptr) == expected());
      ::uselocale(own);
      {
        const std::lock_guard<std::mutex> hold(guard);
        left[matrix::thread_number()] = own;
      }
      hop();
    }
    MATRIX_EXPECT(::uselocale(nullptr) == expected());
  });
}

// --- floating point ---

namespace {
constexpr int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

// 1/3 as the mode rounds it; opaque to constant folding.
[[gnu::noinline]] double a_third() {
  double one = 1.0;
  double three = 3.0;
  asm volatile("" : "+m"(one), "+m"(three)::"memory");
  return one / three;
}
[[gnu::noinline]] double divide_by_zero() {
  double one = 1.0;
  double zero = 0.0;
  asm volatile("" : "+m"(one), "+m"(zero)::"memory");
  return one / zero;
}
}  // namespace

MATRIX_CASE(rounding_mode) {
  double expected[4];
  for (int m = 0; m < 4; ++m) {
    std::fesetround(modes[m]);
    expected[m] = a_third();
  }
  std::fesetround(FE_TONEAREST);
  MATRIX_EXPECT(expected[1] != expected[2]);
  crew(workers + 2, [&](int i) {
    std::fesetround(modes[i % 4]);
    for (int round = 0; round < rounds; ++round) {
      hop();
      MATRIX_EXPECT(std::fegetround() == modes[i % 4]);
      MATRIX_EXPECT(a_third() == expected[i % 4]);
    }
  });
  MATRIX_EXPECT(std::fegetround() == FE_TONEAREST);
}

MATRIX_CASE(rounding_mode_is_inherited) {
  crew(workers, [](int i) {
    std::fesetround(modes[i % 4]);
    weft::task<void> child = weft::spawn([i] {
      MATRIX_EXPECT(std::fegetround() == modes[i % 4]);
      std::fesetround(modes[(i + 1) % 4]);
      hop();
      MATRIX_EXPECT(std::fegetround() == modes[(i + 1) % 4]);
    });
    std::fesetround(modes[(i + 2) % 4]);  // too late to be inherited
    hop();
    child.join();
    MATRIX_EXPECT(std::fegetround() == modes[(i + 2) % 4]);
  });
}

MATRIX_CASE(handlers_keep_the_rounding_mode) {
  crew(workers, [](int i) {
    std::fesetround(modes[i % 4]);
    try {
      hop();
      throw i;
    } catch (int) {
      hop();
      MATRIX_EXPECT(std::fegetround() == modes[i % 4]);
    }
  });
}

#if defined(__x86_64__)
// Traps: who enabled them has them, nobody else. AArch64's cores need not have any.
MATRIX_CASE(floating_point_traps) {
  crew(workers, [](int i) {
    const int wanted = i % 2 == 0 ? FE_DIVBYZERO : 0;
    if (wanted != 0) ::feenableexcept(wanted);
    for (int round = 0; round < rounds; ++round) {
      hop();
      MATRIX_EXPECT(::fegetexcept() == wanted);
      if (wanted == 0) MATRIX_EXPECT(std::isinf(divide_by_zero()));
    }
    std::feclearexcept(FE_ALL_EXCEPT);
  });
}

MATRIX_CASE(flush_to_zero_and_x87_precision) {
  crew(workers, [](int i) {
    unsigned mxcsr = 0;
    unsigned short x87 = 0;
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    mxcsr = (mxcsr & ~0x8040u) | (i % 2 == 0 ? 0x8040u : 0u);  // FTZ and DAZ
    x87 = static_cast<unsigned short>((x87 & ~0x0300u) | (i % 3 == 0 ? 0x0200u : 0x0300u));
    asm volatile("ldmxcsr %0\n\tfldcw %1" ::"m"(mxcsr), "m"(x87));
    for (int round = 0; round < rounds; ++round) {
      hop();
      unsigned now = 0;
      unsigned short x87_now = 0;
      asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(now), "=m"(x87_now));
      MATRIX_EXPECT(((now ^ mxcsr) & 0xffc0u) == 0);
      MATRIX_EXPECT(x87_now == x87);
    }
  });
}

// A long double may live in the x87 registers, which the switch gives up.
MATRIX_CASE(long_double_lives_across) {
  crew(workers, [](int i) {
    long double sum = i;
    long double factor = 1.0L / 3;
    for (int round = 0; round < rounds; ++round) {
      sum += factor * static_cast<long double>(round);
      hop();
    }
    long double again = i;
    for (int round = 0; round < rounds; ++round) again += factor * static_cast<long double>(round);
    MATRIX_EXPECT(sum == again);
  });
}
#endif
