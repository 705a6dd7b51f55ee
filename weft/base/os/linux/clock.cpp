// SPDX-License-Identifier: Apache-2.0
// The kernel's clocks, through the vDSO: no system call, no errno on success.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"

namespace weft::rt::os {

namespace {

int64_t read_clock(clockid_t which) noexcept {
  timespec now{};
  ::clock_gettime(which, &now);  // cannot fail: both clocks exist on every Linux
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }
int64_t realtime_ns() noexcept { return read_clock(CLOCK_REALTIME); }

WEFT_OS_CALL bool ticks_are_time() noexcept {
#if defined(__x86_64__)
  errno_scope keep;
  const int fd = ::open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                        O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char name[16] = {};
  const ssize_t got = ::read(fd, name, sizeof name - 1);
  ::close(fd);
  return got > 0 && std::strcmp(name, "tsc\n") == 0;
#else
  return true;
#endif
}

}  // namespace weft::rt::os
