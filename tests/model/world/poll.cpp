// SPDX-License-Identifier: Apache-2.0
// The kernel's side of netpoll: one set of descriptors, edges that models report, and the eventfd.
// A descriptor of the set is a number; nothing of the real kernel is touched. The linker takes the
// calls of production code here (--wrap).
#include "poll.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <ctime>

#include "tests/model/checker/engine.hpp"

namespace model::poll {
namespace {

struct entry {
  int fd;
  unsigned wanted;
  unsigned pending;  // reported and not fetched
  bool edge;
  epoll_data_t data;
};
struct kernel {
  int next_fd = 1000;  // far from the real ones
  entry entries[8] = {};
  int count = 0;
  uint64_t event_count = 0;
  int event_fd = -1;
  clock hb, view;  // what was written to the eventfd, or reported, has happened before the wait
};
kernel k;

unsigned ready_of(const entry& e) {
  if (e.fd == k.event_fd) return k.event_count > 0 ? e.wanted & EPOLLIN : 0;
  return e.pending & (e.wanted | EPOLLERR | EPOLLHUP);
}

int collect(::epoll_event* events, int most) {
  int n = 0;
  for (int i = 0; i < k.count && n < most; ++i) {
    entry& e = k.entries[i];
    const unsigned ready = ready_of(e);
    if (ready == 0) continue;
    events[n].events = ready;
    events[n].data = e.data;
    ++n;
    if (e.edge) e.pending = 0;
  }
  return n;
}

void wake_waiters() {
  engine& e = *the_engine;
  for (int i = 0; i < e.thread_count; ++i) {
    if (e.threads[i].state != thread_state::events) continue;
    e.threads[i].state = thread_state::runnable;
    e.threads[i].end = wait_end::woken;
  }
}

/// A system call orders what it carries.
void publish() {
  k.hb.join(self().hb);
  k.view.join(self().view);
  next_event(self());
}

}  // namespace

namespace {

constexpr int first_fd = 1000;

int control(int how, int fd, ::epoll_event* event) {
  const inside in;
  point();
  for (int i = 0; i < k.count; ++i) {
    if (k.entries[i].fd != fd) continue;
    if (how == EPOLL_CTL_DEL) k.entries[i] = k.entries[--k.count];
    return 0;
  }
  if (how != EPOLL_CTL_ADD) {
    errno = ENOENT;
    return -1;
  }
  if (k.count == 0) k.event_fd = fd;  // the first one is the poller's own
  k.entries[k.count++] = {fd, event->events & ~static_cast<unsigned>(EPOLLET), 0,
                          (event->events & static_cast<unsigned>(EPOLLET)) != 0, event->data};
  return 0;
}

int wait(::epoll_event* events, int count, const timespec* limit) {
  const inside in;
  point();
  trace("epoll_wait%s", limit == nullptr ? "" : limit->tv_sec + limit->tv_nsec == 0 ? " 0" : " t");
  int n = collect(events, count);
  const bool waits = limit == nullptr || limit->tv_sec != 0 || limit->tv_nsec != 0;
  if (n == 0 && waits) {
    self().end = wait_end::woken;
    block(thread_state::events, nullptr,
          limit == nullptr ? -1 : the_engine->now + limit->tv_sec * 1'000'000'000 + limit->tv_nsec);
    n = collect(events, count);
  }
  self().hb.join(k.hb);
  self().view.join(k.view);
  trace("epoll_wait gives %d events", n);
  return n;
}

void write_event() {
  const inside in;
  point();
  trace("eventfd is written");
  publish();
  ++k.event_count;
  wake_waiters();
}

void read_event() {
  const inside in;
  point();
  trace("eventfd is read");
  k.event_count = 0;
}

}  // namespace

void report(int fd, unsigned events) {
  const inside in;
  point();
  trace("fd %d reports %x", fd, events);
  publish();
  for (int i = 0; i < k.count; ++i)
    if (k.entries[i].fd == fd) k.entries[i].pending |= events;
  wake_waiters();
}

}  // namespace model::poll

using namespace model::poll;

extern "C" {
long __real_write(int fd, const void* from, size_t bytes);
long __real_read(int fd, void* into, size_t bytes);

int __wrap_epoll_create1(int) { return k.next_fd++; }
int __wrap_eventfd(unsigned, int) { return k.next_fd++; }
int __wrap_epoll_ctl(int, int how, int fd, ::epoll_event* event) { return control(how, fd, event); }
int __wrap_epoll_pwait2(int, ::epoll_event* events, int count, const timespec* limit, const void*) {
  return wait(events, count, limit);
}
long __wrap_write(int fd, const void* from, size_t bytes) {
  if (fd < first_fd) return __real_write(fd, from, bytes);
  write_event();
  return static_cast<long>(bytes);
}
long __wrap_read(int fd, void* into, size_t bytes) {
  if (fd < first_fd) return __real_read(fd, into, bytes);
  read_event();
  return static_cast<long>(bytes);
}
}
