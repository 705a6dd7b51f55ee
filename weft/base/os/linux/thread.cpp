// SPDX-License-Identifier: Apache-2.0
// Threads: starting, naming, sleeping, and what the kernel says they are doing.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <new>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"

namespace weft::rt::os {

namespace {

/// What a new thread needs; made by start_thread, freed by the thread.
struct thread_start {
  void (*entry)(void*);
  void* argument;
  sigset_t mask;
  char name[16];  // the kernel's limit, terminator included
};

/// Signals that a runtime thread must never block: faults (blocked, they kill without a report)
/// and the profiling timer.
constexpr int always_open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};

/// The mask of the thread that started the first one: what the program wants its threads to have.
/// Later callers may be goroutines that have something blocked for a moment, so theirs is not used.
const sigset_t& program_mask() noexcept {
  static const sigset_t mask = [] {
    sigset_t now;
    sigemptyset(&now);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    for (int number : always_open) sigdelset(&now, number);
    return now;
  }();
  return mask;
}

/// For a thread that runs none of the program's handlers.
sigset_t faults_only() noexcept {
  sigset_t mask;
  sigfillset(&mask);
  for (int number : always_open)
    if (number != SIGPROF) sigdelset(&mask, number);
  return mask;
}

void* thread_main(void* argument) {
  auto* start = static_cast<thread_start*>(argument);
  thread_start own = *start;
  delete start;
  ::pthread_sigmask(SIG_SETMASK, &own.mask, nullptr);
  // By the thread itself: a detached thread may be gone before its creator could name it.
  ::pthread_setname_np(::pthread_self(), own.name);
  own.entry(own.argument);
  return nullptr;
}

size_t usable_stack_bytes(size_t wanted) noexcept {
  if (sanitizer::address) wanted *= 4;  // instrumented frames are two to three times as large
  long least = ::sysconf(_SC_THREAD_STACK_MIN);
  if (least > 0 && wanted < static_cast<size_t>(least)) wanted = static_cast<size_t>(least);
  return (wanted + page_bytes - 1) & ~(page_bytes - 1);
}

/// The C library takes the program's thread-local storage out of the stack, and says EINVAL when
/// it does not fit; nobody can ask how large it is. So more is tried, up to 64 MiB.
int create_thread(pthread_attr_t& attributes, size_t stack_bytes, thread_start* start) noexcept {
  constexpr size_t stack_bytes_most = size_t{64} << 20;
  while (true) {
    int failed = ::pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_t thread;
    if (failed == 0) failed = ::pthread_create(&thread, &attributes, thread_main, start);
    if (failed != EINVAL || stack_bytes > stack_bytes_most) return failed;
    stack_bytes *= 2;
  }
}

/// Threads by the folder that lists them: it has one link for each and two of its own. -1: no
/// /proc.
int tasks_listed() noexcept {
  struct stat folder;
  if (::stat("/proc/self/task", &folder) != 0 || folder.st_nlink < 3) return -1;
  return static_cast<int>(folder.st_nlink) - 2;
}

/// Reads the start of a /proc stat file and returns the text behind the command name, whose own
/// text may contain anything, parentheses too; null when it cannot be read.
const char* read_stat(int fd, char* buffer, size_t bytes) noexcept {
  ssize_t got = ::pread(fd, buffer, bytes - 1, 0);
  if (got <= 0) return nullptr;
  buffer[got] = '\0';
  const char* close = std::strrchr(buffer, ')');
  return close != nullptr && close[1] == ' ' ? close + 2 : nullptr;
}

}  // namespace

WEFT_OS_CALL int start_thread(void (*entry)(void*), void* argument, size_t stack_bytes,
                              const char* name, bool takes_signals) noexcept {
  errno_scope keep;
  auto* start = new (std::nothrow)
      thread_start{entry, argument, takes_signals ? program_mask() : faults_only(), {}};
  if (start == nullptr) return ENOMEM;
  std::strncpy(start->name, name, sizeof(start->name) - 1);

  pthread_attr_t attributes;
  int failed = ::pthread_attr_init(&attributes);
  if (failed == 0) {
    failed = ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (failed == 0) failed = create_thread(attributes, usable_stack_bytes(stack_bytes), start);
    ::pthread_attr_destroy(&attributes);
  }
  if (failed != 0) delete start;
  return failed;
}

// Not glibc's gettid(): a system call is never remembered by the compiler.
WEFT_OS_CALL int32_t thread_id() noexcept { return static_cast<int32_t>(::syscall(SYS_gettid)); }

// Not pthread_sigqueue(): it wants a pthread_t, and the thread may be gone.
WEFT_OS_CALL bool signal_thread(int32_t tid, int number, void* value) noexcept {
  errno_scope keep;
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  info.si_signo = number;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = value;
  return ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), tid, number, &info) == 0;
}

void sleep_ns(int64_t duration_ns) noexcept {
  if (duration_ns <= 0) return;
  // An absolute deadline does not drift when signals interrupt the sleep again and again.
  int64_t until = monotonic_ns() + duration_ns;
  timespec deadline{until / 1'000'000'000, until % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr) == EINTR) {
  }
}

int on_fork_in_child(void (*f)()) noexcept { return ::pthread_atfork(nullptr, nullptr, f); }

void yield_thread() noexcept { ::sched_yield(); }

WEFT_OS_CALL char thread_state(int32_t tid, int& fd) noexcept {
  errno_scope keep;
  if (fd < 0) {
    char path[48] = "/proc/self/task/";
    char* end = std::to_chars(path + std::strlen(path), path + 32, tid).ptr;
    std::memcpy(end, "/stat", sizeof("/stat"));
    fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
  }
  // The number, a name of at most 64 bytes and the letter fit. Once the thread is gone the read
  // fails with ESRCH, also when its number is in use again.
  char text[128];
  const char* fields = read_stat(fd, text, sizeof(text));
  return fields == nullptr ? '\0' : fields[0];
}

WEFT_OS_CALL int thread_count() noexcept {
  errno_scope keep;
  int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tasks_listed();  // no descriptor left: this way needs none
  char text[1024];
  const char* field = read_stat(fd, text, sizeof(text));
  ::close(fd);
  // proc(5): the state is field 3, num_threads is field 20.
  for (int number = 3; field != nullptr && number < 20; ++number) {
    field = std::strchr(field, ' ');
    if (field != nullptr) ++field;
  }
  if (field == nullptr) return -1;
  int count = -1;
  std::from_chars(field, field + std::strlen(field), count);
  if (count > 0) return count;
  // QEMU's user mode makes the file up and leaves the number out. The folder of threads is the
  // kernel's; one thread is QEMU's.
  const int listed = tasks_listed();
  return listed > 1 ? listed - 1 : -1;
}

WEFT_OS_CALL void close_fd(int fd) noexcept {
  errno_scope keep;
  if (fd >= 0) ::close(fd);
}

}  // namespace weft::rt::os
