// SPDX-License-Identifier: Apache-2.0
// The texts and exits of dying programs, each in a child process.
#include "weft/base/panic.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/death_testing.hpp"
#include "weft/base/dlog.hpp"
#include "weft/base/error.hpp"
#include "weft/base/os/os.hpp"

namespace weft::rt {
namespace {

using testing::death;
using testing::die_in_child;

void dump_marker(int fd, bool fatal_throw, void*) noexcept {
  std::string_view text = fatal_throw ? "<dump of a throw>\n" : "<dump>\n";
  os::write_all(fd, text.data(), text.size());
}

template <class Throw>
death die_of(Throw raise) {
  return die_in_child([&] {
    ::unsetenv("WEFT_TRACEBACK");
    set_goroutine_dump(dump_marker);
    try {
      raise();
    } catch (...) {
      die_of_exception(std::current_exception());
    }
  });
}

/// What is printed for an exception, without the fixed end.
template <class Throw>
std::string panic_text(Throw raise) {
  death d = die_of(raise);
  EXPECT_EQ(d.exit_code, 2);
  std::string end = "\n<dump>\n";
  EXPECT_TRUE(d.text.ends_with(end)) << d.text;
  return d.text.ends_with(end) ? d.text.substr(0, d.text.size() - end.size()) : d.text;
}

TEST(Panic, ThrowsItsMessage) {
  try {
    panic("send on closed channel");
    FAIL();
  } catch (const std::exception& e) {
    EXPECT_STREQ(e.what(), "send on closed channel");
  }
}

TEST(Panic, CopiesShareTheMessage) {
  panic_error first("one");
  panic_error second("two");
  second = first;
  EXPECT_STREQ(second.what(), "one");
  static_assert(std::is_nothrow_copy_constructible_v<panic_error>);
}

TEST(DieOfException, PanicErrorIsItsMessage) {
  EXPECT_EQ(panic_text([] { panic("close of nil channel"); }), "panic: close of nil channel\n");
}
TEST(DieOfException, NewlinesInsideAreIndented) {
  EXPECT_EQ(panic_text([] { panic("first\nsecond"); }), "panic: first\n\tsecond\n");
}
TEST(DieOfException, OtherStandardExceptionsShowTheirType) {
  EXPECT_EQ(panic_text([] { throw std::runtime_error("text"); }),
            "panic: std::runtime_error: text\n");
}
TEST(DieOfException, StringsAreThemselves) {
  EXPECT_EQ(panic_text([] { throw "literal"; }), "panic: literal\n");
  EXPECT_EQ(panic_text([] { throw std::string("string"); }), "panic: string\n");
  EXPECT_EQ(panic_text([] { throw std::string_view("view"); }), "panic: view\n");
}
TEST(DieOfException, NumbersAreThemselves) {
  EXPECT_EQ(panic_text([] { throw 42; }), "panic: 42\n");
  EXPECT_EQ(panic_text([] { throw -7L; }), "panic: -7\n");
  EXPECT_EQ(panic_text([] { throw ~0ULL; }), "panic: 18446744073709551615\n");
  EXPECT_EQ(panic_text([] { throw 3u; }), "panic: 3\n");
  EXPECT_EQ(panic_text([] { throw 1.5; }), "panic: 1.5\n");
  EXPECT_EQ(panic_text([] { throw true; }), "panic: true\n");
}
TEST(DieOfException, ErrorIsItsMessage) {
  EXPECT_EQ(panic_text([] { throw error::wrap("open", error("no such file")); }),
            "panic: open: no such file\n");
}

struct point {
  int x;
};
TEST(DieOfException, OtherTypesAreNamed) {
  EXPECT_EQ(panic_text([] { throw point{1}; }),
            "panic: (weft::rt::(anonymous namespace)::point)\n");
}

TEST(DieOfException, CausesComeFirst) {
  auto raise = [] {
    try {
      try {
        panic("first");
      } catch (...) {
        std::throw_with_nested(std::runtime_error("second"));
      }
    } catch (...) {
      std::throw_with_nested(point{3});
    }
  };
  EXPECT_EQ(panic_text(raise),
            "panic: first\n\tpanic: std::runtime_error: second\n"
            "\tpanic: (weft::rt::(anonymous namespace)::point)\n");
}

TEST(DieOfException, TracebackNonePrintsNoGoroutines) {
  death d = die_in_child([] {
    ::setenv("WEFT_TRACEBACK", "none", 1);
    set_goroutine_dump(dump_marker);
    die_of_exception(std::make_exception_ptr(1));
  });
  EXPECT_EQ(d.exit_code, 2);
  EXPECT_EQ(d.text, "panic: 1\n\n");
}

TEST(Fatal, PrintsMessageNumbersAndGoroutines) {
  death d = die_in_child([] {
    ::unsetenv("WEFT_TRACEBACK");
    set_goroutine_dump(dump_marker);
    fatal("took %d of %d at %x, 100%", -5, INT64_MAX, -1);
  });
  EXPECT_EQ(d.exit_code, 2);
  EXPECT_EQ(d.text,
            "fatal error: took -5 of 9223372036854775807 at 0xffffffffffffffff, 100%\n\n"
            "<dump of a throw>\n");
}

TEST(Fatal, CrashLevelEndsWithSigabrt) {
  death d = die_in_child([] {
    ::setenv("WEFT_TRACEBACK", "crash", 1);
    std::signal(SIGABRT, [](int) { fatal("must not run"); });
    fatal("broken");
  });
  EXPECT_EQ(d.signal, SIGABRT);
  EXPECT_EQ(d.text, "fatal error: broken\n\n");
}

TEST(Fatal, FirstThreadWins) {
  death d = die_in_child([] {
    std::vector<std::thread> all;
    for (int i = 0; i < 8; ++i) all.emplace_back([] { fatal("only once"); });
    for (auto& t : all) t.join();
  });
  EXPECT_EQ(d.exit_code, 2);
  EXPECT_EQ(d.text, "fatal error: only once\n\n");
}

TEST(Fatal, DyingWhileDyingExitsAtOnce) {
  death d = die_in_child([] {
    set_goroutine_dump([](int, bool, void*) noexcept { fatal("second"); });
    fatal("first");
  });
  EXPECT_EQ(d.exit_code, 2);
  EXPECT_EQ(d.text, "fatal error: first\n\n");
}

TEST(DieOfException, DyingOverTheMessageStillShowsGoroutines) {
  struct liar : std::exception {
    [[nodiscard]] const char* what() const noexcept override { fatal("what() failed"); }
  };
  death d = die_in_child([] {
    set_goroutine_dump(dump_marker);
    die_of_exception(std::make_exception_ptr(liar()));
  });
  EXPECT_EQ(d.exit_code, 2);
  const size_t end = d.text.find("liar\nweft: died again while writing this message\n\n<dump>\n");
  EXPECT_TRUE(d.text.starts_with("panic: ") && end != std::string::npos) << d.text;
}

TEST(Fatal, PrintsTheDebugLogWhenItIsOn) {
  death d = die_in_child([] {
    dlog("not yet on");
    dlog_enabled.store(true, relaxed);
    dlog("handed %d to %d", 3, 4);
    fatal("end");
  });
  EXPECT_TRUE(d.text.starts_with("fatal error: end\n\ndlog: ")) << d.text;
  EXPECT_TRUE(d.text.ends_with(" handed 3 to 4\n")) << d.text;
}

TEST(Bug, AbortsAtAnyTracebackLevel) {
  death d = die_in_child([] {
    ::setenv("WEFT_TRACEBACK", "none", 1);
    set_goroutine_dump(dump_marker);
    bug("count is %d", 3);
  });
  EXPECT_EQ(d.signal, SIGABRT);
  EXPECT_EQ(d.text, "weft: internal error: count is 3\n\n<dump of a throw>\n");
}

TEST(Bug, AssertionNamesItsCondition) {
  death d = die_in_child([] { WEFT_ASSERT(1 + 1 == 3); });
  EXPECT_EQ(d.signal, SIGABRT);
  EXPECT_NE(d.text.find("assertion failed: 1 + 1 == 3 at "), std::string::npos);
}

TEST(Dlog, KeepsTheLastEvents) {
  death d = die_in_child([] {
    dlog_enabled.store(true, relaxed);
    for (int64_t i = 0; i < 3000; ++i) dlog("event %d", i);
    dlog_print(STDERR_FILENO);
  });
  EXPECT_EQ(std::count(d.text.begin(), d.text.end(), '\n'), 1024);
  EXPECT_NE(d.text.find(" event 1976\n"), std::string::npos);
  EXPECT_EQ(d.text.find(" event 1975\n"), std::string::npos);
  EXPECT_TRUE(d.text.ends_with(" event 2999\n"));
}

}  // namespace
}  // namespace weft::rt
