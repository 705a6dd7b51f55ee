// SPDX-License-Identifier: Apache-2.0
// Signals at equal distances of a thread's CPU time: the clock of CPU profiles.
//
// Two sources. A POSIX timer on the thread's CPU clock (timer_create(2), SIGEV_THREAD_ID) is always
// there, and is looked at by the kernel's tick: at CONFIG_HZ=250 it gives 250 signals a second at
// most, and says how many periods each stands for. A perf event on the task clock
// (perf_event_open(2), PERF_COUNT_SW_TASK_CLOCK) keeps 1,000 and more, where the system allows it.
#pragma once

#include <cstdint>

namespace weft::rt::os {

struct sampling_clock {
  int32_t timer = -1;  // the kernel's timer id; -1: none
  int event_fd = -1;   // or -1
  [[nodiscard]] bool running() const noexcept { return timer >= 0 || event_fd >= 0; }
};

/// Sends `signal` to thread `tid` of this process each `period_ns` of its CPU time. `value` comes
/// back as si_value from a timer; a perf event's signal has its descriptor in si_fd. 0 or an errno;
/// ESRCH: the thread is gone.
int start_sampling(sampling_clock& clock, int32_t tid, int64_t period_ns, int signal, void* value,
                   bool by_perf) noexcept;
void stop_sampling(sampling_clock& clock) noexcept;
/// CPU time that a perf event has counted, or -1. Async-signal-safe.
int64_t event_time_ns(int event_fd) noexcept;
/// Whether start_sampling(by_perf) can work here. Asks the kernel.
bool perf_sampling_allowed() noexcept;

/// Calls `each(to, tid)` for every thread of this process. False: /proc cannot be read.
bool for_each_thread(void (*each)(void* to, int32_t tid), void* to) noexcept;
/// CPU time of the whole process so far.
int64_t process_cpu_ns() noexcept;

}  // namespace weft::rt::os
