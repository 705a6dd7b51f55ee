// SPDX-License-Identifier: Apache-2.0
// futex(2): a thread sleeps on a word, another one wakes it.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"

namespace weft::rt::os {

WEFT_OS_CALL futex_result futex_wait(atomic<uint32_t>& word, uint32_t expected,
                                     int64_t timeout_ns) noexcept {
  errno_scope keep;
  timespec limit{};
  if (timeout_ns >= 0) {
    limit.tv_sec = timeout_ns / 1'000'000'000;
    limit.tv_nsec = timeout_ns % 1'000'000'000;
  }
  // FUTEX_WAIT takes a duration, measured with CLOCK_MONOTONIC. After a signal the caller looks at
  // its word again and computes what is left: so EINTR is a spurious wake-up.
  long done = ::syscall(SYS_futex, word.address(), FUTEX_WAIT_PRIVATE, expected,
                        timeout_ns < 0 ? nullptr : &limit, nullptr, 0);
  if (done == 0 || errno == EINTR) return futex_result::woken;
  if (errno == EAGAIN) return futex_result::changed;
  if (errno == ETIMEDOUT) return futex_result::timed_out;
  bug("futex wait failed, errno %d", errno);
}

WEFT_OS_CALL int futex_wake(atomic<uint32_t>& word, int count) noexcept {
  errno_scope keep;
  // EFAULT is possible and harmless: whoever was to be woken has seen the new value, gone on and
  // unmapped the word. Nobody sleeps there then.
  long woken = ::syscall(SYS_futex, word.address(), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
  return woken < 0 ? 0 : static_cast<int>(woken);
}

}  // namespace weft::rt::os
