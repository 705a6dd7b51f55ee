// SPDX-License-Identifier: Apache-2.0
// How a process dies: one report, from the first thread that has something to say.
//
// 1. The first thread that dies takes `dying_thread` and prints. Others that want to die wait for
//    ever: the first report is the cause, and reports must not interleave.
// 2. If the dying thread fails again over its message (an exception's what() may do anything), it
//    says so and prints the goroutines; if it fails over those, it exits at once. Otherwise a
//    broken heap or stack would make it report for ever.
// 3. fatal() and bug() allocate nothing and take no lock: the heap may be what is broken.
#include "weft/base/panic.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "weft/base/atomic.hpp"
#include "weft/base/dlog.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/report_writer.hpp"
#include "weft/base/settings.hpp"

namespace weft {

panic_error::panic_error(std::string message)
    : message_(std::make_shared<const std::string>(std::move(message))) {}
panic_error::panic_error(const panic_error&) noexcept = default;
panic_error& panic_error::operator=(const panic_error&) noexcept = default;
panic_error::~panic_error() = default;
const char* panic_error::what() const noexcept { return message_->c_str(); }

void panic(std::string_view message) { throw panic_error(std::string(message)); }

namespace rt {

namespace {

constexpr int report_fd = STDERR_FILENO;
constexpr int failure_exit_code = 2;  // Go's

/// Kernel id of the thread that reports; 0: the process is well. Never reset.
atomic<int32_t> dying_thread{0};
/// Set by the dying thread before it prints goroutines. Never reset.
atomic<uint32_t> dumping{0};
/// Written by bug() before it calls the hook, on the same thread.
atomic<bool> bug_report{false};
/// Set by sched at start, read by whoever dies.
atomic<goroutine_dump> dump_hook{nullptr};

[[noreturn]] void abort_with_core() noexcept {
  // A handler of ours for SIGABRT would report a second time.
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

/// The end of every report: the goroutines, then exit or abort.
[[noreturn]] void finish(bool fatal_throw, bool internal) noexcept {
  bug_report.store(internal, relaxed);
  traceback_level level = current_traceback();
  goroutine_dump dump = dump_hook.load(acquire);  // partner: set_goroutine_dump()
  message_is_written();
  if (dump != nullptr && (internal || level != traceback_level::none))
    dump(report_fd, fatal_throw, nullptr);
  if (dlog_enabled.load(relaxed)) dlog_print(report_fd);
  if (internal || level == traceback_level::crash) abort_with_core();
  os::exit_process(failure_exit_code);
}

[[noreturn]] void die(const char* prefix, bool internal, const char* message,
                      const int64_t (&values)[3]) noexcept {
  begin_dying();
  {
    report_writer out(report_fd);
    out.put(prefix).put_format(message, values).put("\n\n");
  }
  finish(true, internal);
}

[[noreturn]] void die_again(void* context) noexcept {
  goroutine_dump dump = dump_hook.load(acquire);  // partner: set_goroutine_dump()
  if (dumping.exchange(1, relaxed) == 0) {
    static constexpr char text[] = "\nweft: died again while writing this message\n\n";
    os::write_all(report_fd, text, sizeof text - 1);
    if (dump != nullptr && current_traceback() != traceback_level::none)
      dump(report_fd, false, context);
  }
  ::_exit(failure_exit_code);
}

}  // namespace

void message_is_written() noexcept { dumping.store(1, relaxed); }

void begin_dying(void* context) noexcept {
  int32_t self = os::thread_id();
  int32_t first = 0;
  if (dying_thread.compare_exchange(first, self, acq_rel, acquire)) return;
  if (first == self) die_again(context);
  while (true) os::sleep_ns(int64_t{3600} * 1'000'000'000);
}

bool dying_of_bug() noexcept { return bug_report.load(relaxed); }

void finish_panic() noexcept { finish(false, false); }

void set_goroutine_dump(goroutine_dump dump) noexcept {
  dump_hook.store(dump, release);  // partner: finish()
}

bool has_goroutine_dump() noexcept { return dump_hook.load(relaxed) != nullptr; }

void fatal(const char* message) noexcept { die("fatal error: ", false, message, {0, 0, 0}); }
void fatal(const char* message, int64_t first, int64_t second, int64_t third) noexcept {
  die("fatal error: ", false, message, {first, second, third});
}
void bug(const char* message) noexcept { die("weft: internal error: ", true, message, {0, 0, 0}); }
void bug(const char* message, int64_t first, int64_t second, int64_t third) noexcept {
  die("weft: internal error: ", true, message, {first, second, third});
}

}  // namespace rt
}  // namespace weft
