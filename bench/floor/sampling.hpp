// SPDX-License-Identifier: Apache-2.0
// What it costs a busy thread to be interrupted by a signal that does nothing, so many times a
// second of its CPU time.
#pragma once

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "bench/common/measure.hpp"

namespace bench {

__attribute__((noinline)) inline void spin(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) asm volatile("");
}

/// A perf event of this thread's, off; -1 where they are not allowed.
inline int sampling_event(int rate_hz) {
  perf_event_attr how{};
  how.size = sizeof how;
  how.type = PERF_TYPE_SOFTWARE;
  how.config = PERF_COUNT_SW_TASK_CLOCK;
  how.sample_period = static_cast<uint64_t>(1'000'000'000 / rate_hz);
  how.wakeup_events = 1;
  how.disabled = 1;
  how.exclude_kernel = 1;
  const int fd = static_cast<int>(syscall(SYS_perf_event_open, &how, 0, -1, -1, 0));
  if (fd < 0) return -1;
  std::signal(SIGPROF, [](int) {});
  f_owner_ex owner{F_OWNER_TID, static_cast<pid_t>(syscall(SYS_gettid))};
  fcntl(fd, F_SETFL, O_ASYNC);
  fcntl(fd, F_SETSIG, SIGPROF);
  fcntl(fd, F_SETOWN_EX, &owner);
  return fd;
}

}  // namespace bench
