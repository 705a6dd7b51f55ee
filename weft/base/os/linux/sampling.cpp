// SPDX-License-Identifier: Apache-2.0
// Timers and perf events on threads' CPU time.
#include "weft/base/os/sampling.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "weft/base/os/linux/errno_scope.hpp"

namespace weft::rt::os {

namespace {

/// CPU clock of one thread, as the kernel numbers them (linux/posix-timers: pid in the upper bits,
/// inverted; 2: the scheduler's clock; 4: of a thread).
clockid_t cpu_clock_of(int32_t tid) noexcept {
  return static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 4u | 2u);
}

int start_timer(sampling_clock& clock, int32_t tid, int64_t period_ns, int signal,
                void* value) noexcept {
  struct sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal;
  event.sigev_value.sival_ptr = value;
  // glibc has no name for it before 2.38.
  event._sigev_un._tid = tid;
  // The system call itself: the C library's timers are pointers to memory of its own.
  int32_t id = -1;
  if (::syscall(SYS_timer_create, cpu_clock_of(tid), &event, &id) != 0)
    return errno == EINVAL ? ESRCH : errno;
  struct itimerspec when{};
  when.it_interval = {period_ns / 1'000'000'000, period_ns % 1'000'000'000};
  when.it_value = when.it_interval;
  if (::syscall(SYS_timer_settime, id, 0, &when, nullptr) != 0) {
    const int number = errno;
    ::syscall(SYS_timer_delete, id);
    return number;
  }
  clock.timer = id;
  return 0;
}

int start_event(sampling_clock& clock, int32_t tid, int64_t period_ns, int signal) noexcept {
  perf_event_attr how{};
  how.size = sizeof how;
  how.type = PERF_TYPE_SOFTWARE;
  how.config = PERF_COUNT_SW_TASK_CLOCK;
  how.sample_period = static_cast<uint64_t>(period_ns);
  how.wakeup_events = 1;
  how.exclude_kernel = 0;
  how.exclude_hv = 1;
  how.disabled = 1;
  long opened = ::syscall(SYS_perf_event_open, &how, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (opened < 0 && (errno == EACCES || errno == EPERM)) {
    how.exclude_kernel = 1;  // what perf_event_paranoid=2 allows
    opened = ::syscall(SYS_perf_event_open, &how, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
  }
  if (opened < 0) return errno;
  const int fd = static_cast<int>(opened);
  const struct f_owner_ex owner{F_OWNER_TID, tid};
  const bool set = ::fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0 &&
                   ::fcntl(fd, F_SETSIG, signal) == 0 && ::fcntl(fd, F_SETOWN_EX, &owner) == 0 &&
                   ::ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0;
  if (!set) {
    const int number = errno;
    ::close(fd);
    return number;
  }
  clock.event_fd = fd;
  return 0;
}

}  // namespace

WEFT_OS_CALL int start_sampling(sampling_clock& clock, int32_t tid, int64_t period_ns, int signal,
                                void* value, bool by_perf) noexcept {
  errno_scope keep;
  return by_perf ? start_event(clock, tid, period_ns, signal)
                 : start_timer(clock, tid, period_ns, signal, value);
}

WEFT_OS_CALL void stop_sampling(sampling_clock& clock) noexcept {
  errno_scope keep;
  if (clock.timer >= 0) ::syscall(SYS_timer_delete, clock.timer);
  if (clock.event_fd >= 0) ::close(clock.event_fd);
  clock = {};
}

WEFT_OS_CALL int64_t event_time_ns(int event_fd) noexcept {
  errno_scope keep;
  uint64_t counted = 0;
  // Not read(): ThreadSanitizer would see goroutines write to one signal stack.
  return ::syscall(SYS_read, event_fd, &counted, sizeof counted) == sizeof counted
             ? static_cast<int64_t>(counted)
             : -1;
}

WEFT_OS_CALL bool perf_sampling_allowed() noexcept {
  errno_scope keep;
  sampling_clock trial;
  // A period that does not pass while it is open.
  constexpr int64_t never_ns = int64_t{3600} * 1'000'000'000;
  const auto self = static_cast<int32_t>(::syscall(SYS_gettid));
  if (start_event(trial, self, never_ns, SIGPROF) != 0) return false;
  stop_sampling(trial);
  return true;
}

WEFT_OS_CALL bool for_each_thread(void (*each)(void* to, int32_t tid), void* to) noexcept {
  errno_scope keep;
  DIR* folder = ::opendir("/proc/self/task");
  if (folder == nullptr) return false;
  while (const dirent* entry = ::readdir(folder)) {
    const long tid = std::strtol(entry->d_name, nullptr, 10);
    if (tid > 0) each(to, static_cast<int32_t>(tid));
  }
  ::closedir(folder);
  return true;
}

WEFT_OS_CALL int64_t process_cpu_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace weft::rt::os
