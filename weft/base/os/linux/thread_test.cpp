// SPDX-License-Identifier: Apache-2.0
// Threads: what start_thread gives them, and what the kernel says of them.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

#include "weft/base/os/os.hpp"

namespace weft::rt::os {
namespace {

/// A thread that sleeps on a futex until it is let go.
struct sleeper {
  atomic<int32_t> tid{0};
  atomic<uint32_t> go{0};
  atomic<bool> ended{false};
  char name[16] = {};
  size_t stack_bytes = 0;
  sigset_t mask;

  static void main(void* argument) {
    auto* self = static_cast<sleeper*>(argument);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &self->mask);
    ::pthread_getname_np(::pthread_self(), self->name, sizeof(self->name));
    pthread_attr_t attributes;
    ::pthread_getattr_np(::pthread_self(), &attributes);
    ::pthread_attr_getstacksize(&attributes, &self->stack_bytes);
    ::pthread_attr_destroy(&attributes);
    self->tid.store(thread_id(), rt::release);
    while (self->go.load(acquire) == 0) futex_wait(self->go, 0, -1);
    self->ended.store(true, rt::release);
  }
  int32_t wait_started() {
    while (tid.load(acquire) == 0) yield_thread();
    return tid.load(relaxed);
  }
  /// Lets the thread end and waits until the kernel has forgotten it, so that *this may go.
  void end() {
    int32_t thread = wait_started();
    int fd = -1;
    (void)thread_state(thread, fd);
    go.store(1, rt::release);
    futex_wake(go, 1);
    while (!ended.load(acquire) || thread_state(thread, fd) != 0) yield_thread();
    close_fd(fd);
  }
};

TEST(Thread, BlockedThreadIsSeenAsleep) {
  sleeper s;
  ASSERT_EQ(start_thread(sleeper::main, &s, 64 * 1024, "weft-sleeper"), 0);
  int32_t tid = s.wait_started();
  int fd = -1;
  while (thread_state(tid, fd) != 'S') yield_thread();
  EXPECT_GE(fd, 0);
  EXPECT_GE(thread_count(), 2);
  s.end();
  EXPECT_EQ(thread_state(tid, fd), '\0');
  close_fd(fd);
}

TEST(Thread, OwnStateIsRunning) {
  int fd = -1;
  EXPECT_EQ(thread_state(thread_id(), fd), 'R');
  EXPECT_EQ(thread_state(thread_id(), fd), 'R');
  close_fd(fd);
}

TEST(Thread, StateIsFoundBehindAnyName) {
  char old[16];
  ::pthread_getname_np(::pthread_self(), old, sizeof(old));
  ::pthread_setname_np(::pthread_self(), "a) Z (b) 1 2");
  int fd = -1;
  EXPECT_EQ(thread_state(thread_id(), fd), 'R');
  EXPECT_NE(thread_count(), 0);
  ::pthread_setname_np(::pthread_self(), old);
  close_fd(fd);
}

TEST(Thread, UnknownThreadHasNoState) {
  int fd = -1;
  EXPECT_EQ(thread_state(0x7ffffff0, fd), '\0');
  EXPECT_EQ(fd, -1);
}

TEST(Thread, NameIsCutAndStackIsLargeEnough) {
  sleeper s;
  ASSERT_EQ(start_thread(sleeper::main, &s, 100'001, "a name that is much too long"), 0);
  s.wait_started();
  EXPECT_STREQ(s.name, "a name that is ");
  EXPECT_GE(s.stack_bytes, 100'001u);
  s.end();
}

TEST(Thread, AreCountedWithoutADescriptorToo) {
  sleeper s;
  ASSERT_EQ(start_thread(sleeper::main, &s, 64 * 1024, "counted"), 0);
  s.wait_started();
  const int before = thread_count();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit none{0, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const int without = thread_count();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_GE(without, before);
  EXPECT_LE(without, before + 1);  // QEMU has a thread of its own
  s.end();
}

TEST(Thread, TinyStackIsRaisedToTheLeastPossible) {
  sleeper s;
  ASSERT_EQ(start_thread(sleeper::main, &s, 1, "tiny"), 0);
  EXPECT_GE(s.wait_started(), 1);
  s.end();
}

TEST(Thread, MaskIsTheProgramsNotTheCallers) {
  sleeper first;  // the first thread fixes what the program's mask is
  ASSERT_EQ(start_thread(sleeper::main, &first, 64 * 1024, "first"), 0);
  first.end();

  sigset_t blocked;
  sigset_t old;
  sigemptyset(&blocked);
  for (int number : {SIGUSR1, SIGSEGV, SIGPROF}) sigaddset(&blocked, number);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &old);
  sleeper s;
  ASSERT_EQ(start_thread(sleeper::main, &s, 64 * 1024, "masked"), 0);
  s.wait_started();
  for (int number : {SIGUSR1, SIGSEGV, SIGPROF}) EXPECT_EQ(sigismember(&s.mask, number), 0);
  s.end();
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TEST(Thread, SleepLastsAtLeastItsTime) {
  int64_t begin = monotonic_ns();
  sleep_ns(1'000'000);
  EXPECT_GE(monotonic_ns() - begin, 1'000'000);
  sleep_ns(0);
  sleep_ns(-5);
}

}  // namespace
}  // namespace weft::rt::os
