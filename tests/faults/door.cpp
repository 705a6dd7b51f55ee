// SPDX-License-Identifier: Apache-2.0
// The doors where system calls fail on demand. The linker sends the program's own calls here
// (--wrap), Weft's and the scenarios', and no library's; production code has no hook at all.
//
//   FAULT=DOOR:K:ERRNO[:COUNT]   calls K to K + COUNT - 1 of that door fail (COUNT: 1; 0: for ever)
//   FAULT=realtime:1:SECONDS:0   the clock on the wall jumps, to and fro, by so much at each look
//   FAULT=monotonic:K:SECONDS:0  at the K-th look the other clock is so much further, and stays so:
//                                the process, or a machine whose sleep counts, was asleep
//   FAULT_COUNTS=1               prints "counts DOOR=N ..." when the program ends
#include "door.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

enum door : int {
  mmap_door,
  madvise_door,
  mprotect_door,
  clone_door,
  futex_wait_door,
  register_door,
  barrier_door,
  epoll_create_door,
  eventfd_door,
  epoll_ctl_door,
  epoll_pwait2_door,
  epoll_wait_door,
  sigaltstack_door,
  sigaction_door,
  open_door,
  socket_door,
  bind_door,
  listen_door,
  connect_door,
  accept_door,
  recv_door,
  send_door,
  realtime_door,
  monotonic_door,
  together_door,
  door_count
};
constexpr const char* names[] = {"mmap",           "madvise",      "mprotect",
                                 "clone",          "futex_wait",   "membarrier_register",
                                 "membarrier",     "epoll_create", "eventfd",
                                 "epoll_ctl",      "epoll_pwait2", "epoll_wait",
                                 "sigaltstack",    "sigaction",    "open",
                                 "socket",         "bind",         "listen",
                                 "connect",        "accept",       "recv",
                                 "send",           "realtime",     "monotonic",
                                 "process_madvise"};
static_assert(sizeof names / sizeof *names == door_count);

std::atomic<long> counts[door_count];

struct fault {
  int which = -1;
  long first = 0;
  long last = 0;
  int number = 0;
};

fault read_fault() {
  fault f;
  const char* text = std::getenv("FAULT");
  if (text == nullptr) return f;
  char name[32] = {};
  long many = 1;
  if (std::sscanf(text, "%31[^:]:%ld:%d:%ld", name, &f.first, &f.number, &many) < 3) std::abort();
  f.last = many == 0 ? 1'000'000'000 : f.first + many - 1;
  for (int i = 0; i < door_count; ++i)
    if (std::strcmp(names[i], name) == 0) f.which = i;
  if (f.which < 0) std::abort();
  return f;
}

/// Counts the call; true when it is to fail. Leaves errno alone otherwise.
int fails(door which) {
  static const fault wanted = read_fault();
  const long number = counts[which].fetch_add(1) + 1;
  if (which != wanted.which || number < wanted.first || number > wanted.last) return 0;
  return wanted.number;
}

#define FAIL_AT(which)                                            \
  if (const int refused_with = fails(which); refused_with != 0) { \
    errno = refused_with;                                         \
    return -1;                                                    \
  }                                                               \
  static_assert(true)

}  // namespace

void print_counts() {
  if (std::getenv("FAULT_COUNTS") == nullptr) return;
  std::printf("counts");
  for (int i = 0; i < door_count; ++i) std::printf(" %s=%ld", names[i], counts[i].load());
  std::printf("\n");
}

extern "C" {

void* __real_mmap(void*, size_t, int, int, int, off_t);
void* __wrap_mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (const int number = fails(mmap_door); number != 0) {
    errno = number;
    return MAP_FAILED;
  }
  return __real_mmap(at, bytes, protection, flags, fd, offset);
}

int __real_madvise(void*, size_t, int);
int __wrap_madvise(void* at, size_t bytes, int advice) {
  FAIL_AT(madvise_door);
  return __real_madvise(at, bytes, advice);
}

int __real_mprotect(void*, size_t, int);
int __wrap_mprotect(void* at, size_t bytes, int protection) {
  FAIL_AT(mprotect_door);
  return __real_mprotect(at, bytes, protection);
}

int __real_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                          void* (*entry)(void*), void* argument) {
  if (const int number = fails(clone_door); number != 0) return number;
  return __real_pthread_create(thread, attributes, entry, argument);
}

long __real_syscall(long, ...);
long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT) FAIL_AT(futex_wait_door);
  if (number == SYS_membarrier && a[0] == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    FAIL_AT(register_door);
  if (number == SYS_membarrier && a[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED) FAIL_AT(barrier_door);
  if (number == SYS_process_madvise) FAIL_AT(together_door);
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __real_epoll_create1(int);
int __wrap_epoll_create1(int flags) {
  FAIL_AT(epoll_create_door);
  return __real_epoll_create1(flags);
}

int __real_eventfd(unsigned, int);
int __wrap_eventfd(unsigned value, int flags) {
  FAIL_AT(eventfd_door);
  return __real_eventfd(value, flags);
}

int __real_epoll_ctl(int, int, int, epoll_event*);
int __wrap_epoll_ctl(int epoll, int what, int fd, epoll_event* event) {
  if (what == EPOLL_CTL_ADD) FAIL_AT(epoll_ctl_door);
  return __real_epoll_ctl(epoll, what, fd, event);
}

int __real_epoll_pwait2(int, epoll_event*, int, const timespec*, const sigset_t*);
int __wrap_epoll_pwait2(int epoll, epoll_event* events, int most, const timespec* limit,
                        const sigset_t* mask) {
  FAIL_AT(epoll_pwait2_door);
  return __real_epoll_pwait2(epoll, events, most, limit, mask);
}

int __real_epoll_wait(int, epoll_event*, int, int);
int __wrap_epoll_wait(int epoll, epoll_event* events, int most, int limit_ms) {
  FAIL_AT(epoll_wait_door);
  return __real_epoll_wait(epoll, events, most, limit_ms);
}

int __real_sigaltstack(const stack_t*, stack_t*);
int __wrap_sigaltstack(const stack_t* wanted, stack_t* before) {
  FAIL_AT(sigaltstack_door);
  return __real_sigaltstack(wanted, before);
}

int __real_sigaction(int, const struct sigaction*, struct sigaction*);
int __wrap_sigaction(int number_of_signal, const struct sigaction* wanted,
                     struct sigaction* before) {
  FAIL_AT(sigaction_door);
  return __real_sigaction(number_of_signal, wanted, before);
}

int __real_open(const char*, int, ...);
int __wrap_open(const char* path, int flags, ...) {
  FAIL_AT(open_door);
  return __real_open(path, flags);  // Weft creates no files
}

int __real_socket(int, int, int);
int __wrap_socket(int domain, int type, int protocol) {
  FAIL_AT(socket_door);
  return __real_socket(domain, type, protocol);
}

int __real_bind(int, const sockaddr*, socklen_t);
int __wrap_bind(int fd, const sockaddr* to, socklen_t bytes) {
  FAIL_AT(bind_door);
  return __real_bind(fd, to, bytes);
}

int __real_listen(int, int);
int __wrap_listen(int fd, int backlog) {
  FAIL_AT(listen_door);
  return __real_listen(fd, backlog);
}

int __real_connect(int, const sockaddr*, socklen_t);
int __wrap_connect(int fd, const sockaddr* to, socklen_t bytes) {
  FAIL_AT(connect_door);
  return __real_connect(fd, to, bytes);
}

int __real_accept4(int, sockaddr*, socklen_t*, int);
int __wrap_accept4(int fd, sockaddr* from, socklen_t* bytes, int flags) {
  FAIL_AT(accept_door);
  return __real_accept4(fd, from, bytes, flags);
}

ssize_t __real_recv(int, void*, size_t, int);
ssize_t __wrap_recv(int fd, void* to, size_t bytes, int flags) {
  FAIL_AT(recv_door);
  return __real_recv(fd, to, bytes, flags);
}

ssize_t __real_send(int, const void*, size_t, int);
ssize_t __wrap_send(int fd, const void* from, size_t bytes, int flags) {
  FAIL_AT(send_door);
  return __real_send(fd, from, bytes, flags);
}

// The loop that sleeps until an absolute time is told it on the clock that the kernel has.
std::atomic<int> seconds_ahead{0};

int __real_clock_gettime(clockid_t, timespec*);
int __wrap_clock_gettime(clockid_t which, timespec* now) {
  const int result = __real_clock_gettime(which, now);
  if (which == CLOCK_REALTIME) {
    const int step_seconds = fails(realtime_door);
    now->tv_sec += counts[realtime_door].load() % 2 == 0 ? step_seconds : -step_seconds;
  }
  if (which == CLOCK_MONOTONIC) {
    if (const int ahead = fails(monotonic_door); ahead != 0) seconds_ahead = ahead;
    now->tv_sec += seconds_ahead;
  }
  return result;
}

int __real_clock_nanosleep(clockid_t, int, const timespec*, timespec*);
int __wrap_clock_nanosleep(clockid_t which, int flags, const timespec* until, timespec* left) {
  timespec shifted = *until;
  if (which == CLOCK_MONOTONIC && (flags & TIMER_ABSTIME) != 0) shifted.tv_sec -= seconds_ahead;
  return __real_clock_nanosleep(which, flags, &shifted, left);
}

}  // extern "C"
