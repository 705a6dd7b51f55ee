// SPDX-License-Identifier: Apache-2.0
// The thread that polls for quiet_watch.
//
// Rejected: a second kind of waiter in netpoll that the deadlock check leaves out. A thread that
// waits in epoll for such ones only would have to count as idle, and what it has taken out and not
// yet queued as work: two more orders on the scheduler's hottest path, for a listener that is
// called once a day. This thread costs nothing while nobody calls.
#include "weft/sched/internal/quiet_wait.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

struct quiet_poller {
  futex_mutex lock{lock_rank::leaf};
  // Under the lock.
  quiet_watch* current = nullptr;
  // Of its own.
  atomic<uint32_t> started{0};
  /// Written before the thread is there, and never again.
  int wake_fd = -1;

  bool start() noexcept;
  void wake() const noexcept;
  /// The goroutine that waits for `fd`, if there is one.
  goroutine* take(int fd) noexcept;
  [[noreturn]] void poll_for_ever() noexcept;
  static bool commit(goroutine* gp, void* watch) noexcept;
};

namespace {
quiet_poller poller;

void poller_main(void*) {
  adopt_system_thread();
  heap_drop_cache();  // it allocates nothing
  poller.poll_for_ever();
}
}  // namespace

bool quiet_poller::start() noexcept {
  // Not under the lock: a thread's start allocates.
  uint32_t none = 0;
  if (!started.compare_exchange(none, 1, relaxed, relaxed)) return true;
  // Not by the library's function: ThreadSanitizer would take later writes for races with it.
  if (wake_fd < 0)
    wake_fd = static_cast<int>(::syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wake_fd < 0) {
    started.store(0, relaxed);
    return false;
  }
  // Before it can be counted by /proc: the check errs to life.
  sched.quiet_threads.fetch_add(1, seq_cst);
  // 64 KiB: a poll of two descriptors, and start_m().
  if (os::start_thread(poller_main, nullptr, 64 * 1024, "weft-door", false) != 0) {
    sched.quiet_threads.fetch_sub(1, seq_cst);
    started.store(0, relaxed);
    return false;
  }
  return true;
}

void quiet_poller::wake() const noexcept {
  const uint64_t one = 1;
  while (::write(wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

goroutine* quiet_poller::take(int fd) noexcept {
  kept_lock_scope hold(lock);
  if (current == nullptr || current->fd_ != fd) return nullptr;
  goroutine* gp = current->waiter_;
  current->waiter_ = nullptr;
  current = nullptr;
  return gp;
}

void quiet_poller::poll_for_ever() noexcept {
  for (;;) {
    pollfd look[2] = {{wake_fd, POLLIN, 0}, {-1, POLLIN, 0}};  // poll skips negative ones
    {
      kept_lock_scope hold(lock);
      if (current != nullptr) look[1].fd = current->fd_;
    }
    if (::poll(look, 2, -1) <= 0) continue;  // EINTR, or no memory for a moment
    uint64_t count = 0;
    if (look[0].revents != 0)
      while (::read(wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
      }
    if (look[1].revents == 0) continue;
    // A descriptor that was closed meanwhile, and whose number is somebody else's: nobody waits for
    // it, or the next round finds out.
    g_list list;
    if (goroutine* gp = take(look[1].fd); gp != nullptr) list.push_back(gp);
    inject(list);
  }
}

bool quiet_poller::commit(goroutine* gp, void* watch) noexcept {
  auto* w = static_cast<quiet_watch*>(watch);
  kept_lock_scope hold(poller.lock);
  if (w->cancelled_) return false;
  WEFT_ASSERT(poller.current == nullptr);
  w->waiter_ = gp;
  poller.current = w;
  poller.wake();
  return true;
}

bool quiet_watch::wait(int fd) noexcept {
  if (!poller.start()) return false;
  const section entered(may_park);
  fd_ = fd;  // the poller looks at it from the commit on
  park(quiet_poller::commit, this, wait_reason::io_wait, this);
  kept_lock_scope hold(poller.lock);
  return !cancelled_;
}

void quiet_watch::cancel() noexcept {
  const section entered(leaf);
  goroutine* gp = nullptr;
  {
    kept_lock_scope hold(poller.lock);
    cancelled_ = true;
    if (poller.current == this) {
      gp = waiter_;
      waiter_ = nullptr;
      poller.current = nullptr;
      poller.wake();
    }
  }
  if (gp != nullptr) ready(gp);
}

}  // namespace weft::rt
