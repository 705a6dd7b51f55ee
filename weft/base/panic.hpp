// SPDX-License-Identifier: Apache-2.0
// The three ways to stop: panic (an exception, the caller's fault), fatal (report and exit), bug
// (a broken invariant of Weft's own).
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "weft/base/export.hpp"

namespace weft {

/// What panic() throws. what() is the message, as Go prints it after "panic: ".
class WEFT_API panic_error : public std::exception {
 public:
  explicit panic_error(std::string message);
  panic_error(const panic_error&) noexcept;
  panic_error& operator=(const panic_error&) noexcept;
  ~panic_error() override;
  [[nodiscard]] const char* what() const noexcept override;

 private:
  // Shared: copying an exception must not fail.
  std::shared_ptr<const std::string> message_;
};

/// Throws panic_error. One that leaves a goroutine ends the process with Go's report, exit code 2.
[[noreturn]] WEFT_API void panic(std::string_view message);

namespace rt {

/// What sched hands to base: prints goroutines below a fatal message. `context` is the ucontext_t
/// of a signal, or null. Async-signal-safe.
using goroutine_dump = void (*)(int fd, bool fatal_throw, void* context) noexcept;
WEFT_API void set_goroutine_dump(goroutine_dump dump) noexcept;
/// Whether one is set: then every report shows the stack of who reports.
[[nodiscard]] WEFT_API bool has_goroutine_dump() noexcept;

/// "fatal error: MESSAGE", the goroutines, exit 2 (SIGABRT with WEFT_TRACEBACK=crash). Allocates
/// nothing, takes no lock. `%d` in the message is replaced by the integers in turn, `%x` in hex
/// with 0x. The first thread to die reports; others wait. Dying again over the message says so
/// and goes on with the goroutines; dying again over those exits with 2.
[[noreturn]] WEFT_API void fatal(const char* message) noexcept;
[[noreturn]] WEFT_API void fatal(const char* message, int64_t first, int64_t second = 0,
                                 int64_t third = 0) noexcept;
/// "weft: internal error: MESSAGE", the goroutines with runtime frames, abort.
[[noreturn]] WEFT_API void bug(const char* message) noexcept;
[[noreturn]] WEFT_API void bug(const char* message, int64_t first, int64_t second = 0,
                               int64_t third = 0) noexcept;
/// "panic: MESSAGE" for an exception that left a goroutine; called with it being current.
[[noreturn]] WEFT_API void die_of_exception(std::exception_ptr what) noexcept;

/// For reports that are not made here (fatal signals): takes the right to report, or never
/// returns, under fatal()'s rules. `context` is the ucontext_t of a signal, or null.
/// Async-signal-safe.
WEFT_API void begin_dying(void* context = nullptr) noexcept;
/// The message is written, the goroutines follow: who dies again from here on just ends.
WEFT_API void message_is_written() noexcept;
/// True in the dump hook of bug(): the report shows the runtime's own frames then.
[[nodiscard]] WEFT_API bool dying_of_bug() noexcept;
/// The end of a panic's report: the goroutines, then exit 2, or SIGABRT.
[[noreturn]] WEFT_API void finish_panic() noexcept;

}  // namespace rt
}  // namespace weft

/// On in release too: one compare.
#define WEFT_ASSERT(condition)                                          \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::weft::rt::bug("assertion failed: " #condition " at " __FILE__); \
  } while (false)

#ifdef WEFT_DEBUG_BUILD
#define WEFT_CHECK_SLOW(condition) WEFT_ASSERT(condition)
#else
#define WEFT_CHECK_SLOW(condition) \
  do {                             \
    (void)sizeof(condition);       \
  } while (false)
#endif
