// SPDX-License-Identifier: Apache-2.0
// Readiness polling: one edge-triggered epoll descriptor for the process, and per descriptor two
// words (reader, writer) that I/O and goroutines meet at. The design is Go's (runtime/netpoll.go).
//
//   word       means                              leaves it by
//   nil        nothing happened, nobody waits     I/O -> ready;  poll_wait -> wait
//   ready      readiness not consumed yet         poll_wait, poll_reset -> nil
//   wait       somebody is about to park          commit -> goroutine;  any wake-up -> nil / ready
//   pointer    that goroutine is parked           any wake-up -> nil / ready, and readies it
//   pointer|1  a watcher is armed (reader only)   the same, and starts a goroutine for it;
//                                                 poll_unwatch -> nil
//
// Whoever takes a pointer out of a word, and nobody else, readies that goroutine: exactly one
// ready() per park. Deadlines and closing set a bit in `info` and then take the waiter out; a
// waiter sets `wait` and then looks at `info`. Both are seq_cst, so one of the two sees the other.
//
// Edge-triggered, both directions at once: one epoll_ctl per descriptor in its life, and none per
// operation. The price is that a reader must have seen EAGAIN (or a short read) before it waits.
//
// Descriptors' states are type-stable: an event or a timer that comes too late finds a valid
// poll_desc. Late events are told by a 16-bit sequence in the event's upper bits, late timers by
// the deadlines themselves: `fire` acts only on one that is set now and has passed.
//
// Rejected: level-triggered one-shot (an epoll_ctl per wait), a list of waiters per word (fd locks
// above already let one reader and one writer in), io_uring (a second back end, later).
#include "weft/sched/internal/netpoll.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"

// As in base/os: errno's address must not be remembered across a switch to another thread.
#define WEFT_OWN_ERRNO __attribute__((noinline))

namespace weft::rt {

namespace {

inline constexpr uintptr_t word_nil = 0;
inline constexpr uintptr_t word_ready = 1;
inline constexpr uintptr_t word_wait = 2;

inline constexpr uint32_t info_closing = 1;
inline constexpr uint32_t info_read_expired = 2;
inline constexpr uint32_t info_write_expired = 4;
inline constexpr uint32_t info_hangup = 8;

// Events fetched at once. Go's number: more would delay the first, fewer cost calls under load.
inline constexpr int batch_events = 128;
// States carved at once: 64 KiB of address space, touched as used.
inline constexpr size_t chunk_bytes = 64 * 1024;

inline constexpr int64_t deadline_passed = -1;

}  // namespace

struct alignas(64) poll_desc {
  /// The words of the table above.
  atomic<uintptr_t> reader{word_nil};
  atomic<uintptr_t> writer{word_nil};
  /// Bits info_*. Written under `lock` (info_hangup: by netpoll(), any thread); read by anyone.
  atomic<uint32_t> info{0};
  /// Counts uses of this state; its low 16 bits are in the event's tag. Written by poll_open() and
  /// poll_close(), read by netpoll().
  atomic<uint32_t> sequence{0};
  futex_mutex lock{lock_rank::poll};
  /// The descriptor, -1 while in the pool. Under `lock`.
  int fd = -1;
  /// 0: none; deadline_passed; else when. Under `lock`.
  int64_t read_deadline = 0;
  int64_t write_deadline = 0;
  /// Armed for the earlier one of the deadlines that are ahead. One, not two: it is a third of what
  /// an idle connection costs here.
  timer_node timer;
  /// Next in the pool; under pool.lock.
  poll_desc* free_link = nullptr;

  atomic<uintptr_t>& word(poll_mode mode) noexcept {
    return mode == poll_mode::read ? reader : writer;
  }
};

namespace {

struct poller {
  /// Protects `free` and initialization. Nothing is taken under it.
  futex_mutex lock{lock_rank::leaf};
  poll_desc* free = nullptr;
  int epoll_fd = -1;
  int wake_fd = -1;
  atomic<uint32_t> initialized{0};
  atomic<uint32_t> waiters{0};
  /// 1 once epoll_pwait2 was found missing. Written by any thread, always the same.
  atomic<uint32_t> coarse_waits{0};
  /// 1 while an unread wake-up lies in wake_fd: many breaks cost one write.
  atomic<uint32_t> wake_pending{0};
};
poller poll;

uint64_t tag_of(poll_desc* pd, uint32_t sequence) noexcept {
  // User addresses have 47 bits on x86-64 and 48 on AArch64 unless a mapping asks for more.
  return reinterpret_cast<uintptr_t>(pd) | uint64_t{sequence & 0xffff} << 48;
}
poll_desc* desc_of(uint64_t tag) noexcept {
  return reinterpret_cast<poll_desc*>(tag & ((uint64_t{1} << 48) - 1));
}

/// Who was taken out of a word: nobody, a goroutine, or a watcher.
using waiter = uintptr_t;
inline constexpr waiter nobody = 0;
inline constexpr uintptr_t watcher_bit = 1;

void run_watcher(void* argument) {
  auto* watcher = *static_cast<poll_watcher**>(argument);
  watcher->run(watcher);
}

/// The goroutine that is to be readied for a waiter. No lock is held: a watcher's is made here.
goroutine* goroutine_of(waiter w) noexcept {
  if ((w & watcher_bit) == 0) return reinterpret_cast<goroutine*>(w);
  auto* watcher = reinterpret_cast<poll_watcher*>(w & ~watcher_bit);
  return take_waiting(run_watcher, watcher, watcher->fp);
}

void wake(waiter w) noexcept {
  if (w != nobody) ready(goroutine_of(w));
}

/// Takes the waiter out of a word, leaving `ready` behind if I/O is the reason. The caller wakes
/// what is returned.
[[nodiscard]] waiter unblock(poll_desc* pd, poll_mode mode, bool io_ready) noexcept {
  atomic<uintptr_t>& word = pd->word(mode);
  uintptr_t old = word.load(seq_cst);
  for (;;) {
    if (old == word_ready) return nobody;
    if (old == word_nil && !io_ready) return nobody;
    // seq_cst: partners are the exchange in poll_wait() and commit_wait()'s CAS.
    if (!word.compare_exchange(old, io_ready ? word_ready : word_nil, seq_cst, seq_cst)) continue;
    if (old <= word_wait) return nobody;
    poll.waiters.fetch_sub(1, seq_cst);
    return old;
  }
}

bool commit_wait(goroutine* gp, void* word) noexcept {
  uintptr_t expected = word_wait;
  const bool parked = static_cast<atomic<uintptr_t>*>(word)->compare_exchange(
      expected, reinterpret_cast<uintptr_t>(gp), seq_cst, seq_cst);
  if (!parked) poll.waiters.fetch_sub(1, seq_cst);
  return parked;
}

poll_result verdict(const poll_desc* pd, poll_mode mode) noexcept {
  // seq_cst: partner is publish() before unblock().
  const uint32_t info = pd->info.load(seq_cst);
  if ((info & info_closing) != 0) [[unlikely]]
    return poll_result::closing;
  const uint32_t expired = mode == poll_mode::read ? info_read_expired : info_write_expired;
  return (info & expired) != 0 ? poll_result::timeout : poll_result::ready;
}

void publish(poll_desc* pd, uint32_t bit, bool set) noexcept {
  if (set)
    pd->info.fetch_or(bit, seq_cst);
  else
    pd->info.fetch_and(~bit, seq_cst);
}

int64_t& deadline_of(poll_desc* pd, poll_mode mode) noexcept {
  return mode == poll_mode::read ? pd->read_deadline : pd->write_deadline;
}

/// When the timer has to fire; 0: not at all. Under pd->lock.
int64_t next_deadline(const poll_desc* pd) noexcept {
  const int64_t read = pd->read_deadline;
  const int64_t write = pd->write_deadline;
  if (read <= 0 || write <= 0) return read > 0 ? read : write > 0 ? write : 0;
  return read < write ? read : write;
}

/// The timer has fired: whom to wake for this direction. Under pd->lock.
[[nodiscard]] waiter expire(poll_desc* pd, poll_mode mode, int64_t now) noexcept {
  int64_t& deadline = deadline_of(pd, mode);
  const bool changed = pd->fd < 0 || deadline <= 0 || deadline > now;
  if (changed && !mutated("netpoll: a late timer is believed")) return nobody;  // another's turn
  deadline = deadline_passed;
  publish(pd, mode == poll_mode::read ? info_read_expired : info_write_expired, true);
  return unblock(pd, mode, false);
}

void fire_deadline(timer_node* node, int64_t now) noexcept {
  auto* pd = static_cast<poll_desc*>(node->argument);
  waiter reader = nobody;
  waiter writer = nobody;
  {
    lock_scope hold(pd->lock);
    reader = expire(pd, poll_mode::read, now);
    writer = expire(pd, poll_mode::write, now);
    if (const int64_t next = next_deadline(pd); next > 0) rearm(pd->timer, next);
  }
  wake(reader);
  wake(writer);
}

/// Creates the two descriptors. 0 or an errno.
WEFT_OWN_ERRNO int create_descriptors() noexcept {
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return errno;
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;  // level-triggered: a poll that does not wait leaves it for one that does
  event.data.u64 = 0;
  if (wake_fd < 0 || ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
    const int why = errno;
    ::close(epoll_fd);
    if (wake_fd >= 0) ::close(wake_fd);
    return why;
  }
  poll.epoll_fd = epoll_fd;
  poll.wake_fd = wake_fd;
  return 0;
}

WEFT_OWN_ERRNO int add_to_epoll(poll_desc* pd, int fd) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | static_cast<uint32_t>(EPOLLET);
  event.data.u64 = tag_of(pd, pd->sequence.load(relaxed));
  return ::epoll_ctl(poll.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

WEFT_OWN_ERRNO int wait_events(epoll_event* events, int64_t delay_ns) noexcept {
  timespec limit{};
  if (delay_ns > 0) {
    limit.tv_sec = delay_ns / 1'000'000'000;
    limit.tv_nsec = delay_ns % 1'000'000'000;
  }
  if (poll.coarse_waits.load(relaxed) == 0) {
    // Nanoseconds, so that a sleep of 100 us is not rounded up to a millisecond.
    const int count = ::epoll_pwait2(poll.epoll_fd, events, batch_events,
                                     delay_ns < 0 ? nullptr : &limit, nullptr);
    if (count >= 0) return count;
    // ENOSYS: before Linux 5.11, and valgrind. EPERM: a container's filter of system calls that is
    // older than the call.
    if (errno != ENOSYS && errno != EPERM) return -errno;
    poll.coarse_waits.store(1, relaxed);
  }
  // Milliseconds, rounded up.
  const int64_t ms = delay_ns <= 0 ? delay_ns : (delay_ns + 999'999) / 1'000'000;
  const int old = ::epoll_wait(poll.epoll_fd, events, batch_events,
                               ms > INT_MAX ? INT_MAX : static_cast<int>(ms));
  return old >= 0 ? old : -errno;
}

WEFT_OWN_ERRNO void write_wake() noexcept {
  const uint64_t one = 1;
  while (::write(poll.wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

WEFT_OWN_ERRNO void read_wake() noexcept {
  uint64_t count = 0;
  while (::read(poll.wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

WEFT_OWN_ERRNO void remove_from_epoll(int fd) noexcept {
  epoll_event ignored{};
  (void)::epoll_ctl(poll.epoll_fd, EPOLL_CTL_DEL, fd, &ignored);
}

poll_desc* take_desc() noexcept {
  lock_scope hold(poll.lock);
  if (poll.free == nullptr) {
    auto* memory = static_cast<std::byte*>(os::reserve_writable(chunk_bytes));
    if (memory == nullptr) return nullptr;
    for (size_t at = 0; at + sizeof(poll_desc) <= chunk_bytes; at += sizeof(poll_desc)) {
      auto* pd = new (memory + at) poll_desc;
      pd->timer.fire = fire_deadline;
      pd->timer.argument = pd;
      pd->free_link = poll.free;
      poll.free = pd;
    }
  }
  poll_desc* pd = poll.free;
  poll.free = pd->free_link;
  return pd;
}

void give_back(poll_desc* pd) noexcept {
  lock_scope hold(poll.lock);
  pd->free_link = poll.free;
  poll.free = pd;
}

/// Sets one direction's deadline under pd->lock, and not the timer; returns whom to wake.
[[nodiscard]] waiter set_one(poll_desc* pd, poll_mode mode, int64_t when_ns, int64_t now) noexcept {
  int64_t& deadline = deadline_of(pd, mode);
  const bool passed = when_ns != 0 && when_ns <= now;
  const int64_t old = deadline;
  deadline = passed ? deadline_passed : when_ns;
  if (deadline == old) return nobody;
  publish(pd, mode == poll_mode::read ? info_read_expired : info_write_expired, passed);
  return passed ? unblock(pd, mode, false) : nobody;
}

/// After deadlines were changed, under pd->lock. `before`: what next_deadline() was. If the timer
/// fires just now, it waits for the lock, finds what is set then, and arms itself for the rest.
void set_timer(poll_desc* pd, int64_t before) noexcept {
  const int64_t next = next_deadline(pd);
  if (next == before) return;
  if (next > 0)
    rearm(pd->timer, next);
  else
    (void)disarm(pd->timer);
}

}  // namespace

// --- called by the scheduler ---

int netpoll_init() noexcept {
  if (netpoll_initialized()) return 0;
  lock_scope hold(poll.lock);
  if (netpoll_initialized()) return 0;
  const int failure = create_descriptors();
  // release: partner is netpoll_initialized().
  if (failure == 0) poll.initialized.store(1, release);
  return failure;
}

bool netpoll_initialized() noexcept { return poll.initialized.load(acquire) != 0; }

uint32_t netpoll_waiters() noexcept { return poll.waiters.load(seq_cst); }

void netpoll(int64_t delay_ns, g_list& out) noexcept {
  if (!netpoll_initialized()) return;
  epoll_event events[batch_events];
  int count = wait_events(events, delay_ns);
  // A signal: without a limit the wait goes on, else the caller computes what is left.
  while (count == -EINTR && delay_ns < 0) count = wait_events(events, delay_ns);
  if (count < 0) {
    if (count != -EINTR) bug("netpoll: epoll_wait failed with errno %d", -count);
    return;
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[i];
    if (event.data.u64 == 0) {
      if (delay_ns != 0) {
        // In this order: a break after the store writes again, one before it is being read here.
        read_wake();
        poll.wake_pending.store(0, seq_cst);
      }
      continue;
    }
    poll_desc* pd = desc_of(event.data.u64);
    // acquire: partner is poll_open()'s and poll_close()'s increment.
    if ((pd->sequence.load(acquire) & 0xffff) != event.data.u64 >> 48) continue;
    constexpr uint32_t hangup = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if ((event.events & hangup) != 0) pd->info.fetch_or(info_hangup, seq_cst);
    if ((event.events & (EPOLLIN | hangup)) != 0)
      if (const waiter w = unblock(pd, poll_mode::read, true); w != nobody)
        out.push_back(goroutine_of(w));
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
      if (const waiter w = unblock(pd, poll_mode::write, true); w != nobody)
        out.push_back(goroutine_of(w));
  }
}

void netpoll_break() noexcept {
  if (!netpoll_initialized()) return;
  uint32_t none = 0;
  if (poll.wake_pending.compare_exchange(none, 1, seq_cst, relaxed)) write_wake();
}

// --- called by net/ ---

poll_desc* poll_open(int fd, int& error) noexcept {
  error = netpoll_init();
  if (error != 0) return nullptr;
  poll_desc* pd = take_desc();
  if (pd == nullptr) {
    error = ENOMEM;
    return nullptr;
  }
  {
    lock_scope hold(pd->lock);
    WEFT_ASSERT(pd->reader.load(relaxed) <= word_ready && pd->writer.load(relaxed) <= word_ready);
    pd->sequence.fetch_add(1, acq_rel);
    pd->fd = fd;
    pd->read_deadline = pd->write_deadline = 0;
    pd->reader.store(word_nil, relaxed);
    pd->writer.store(word_nil, relaxed);
    pd->info.store(0, seq_cst);
  }
  error = add_to_epoll(pd, fd);
  if (error == 0) return pd;
  {
    lock_scope hold(pd->lock);
    pd->fd = -1;
  }
  give_back(pd);
  return nullptr;
}

poll_result poll_reset(poll_desc* pd, poll_mode mode) noexcept {
  const poll_result result = verdict(pd, mode);
  // No waiter can be there: one operation per direction at a time. Readiness that is forgotten here
  // belongs to data that the following attempt sees.
  if (result == poll_result::ready) pd->word(mode).store(word_nil, seq_cst);
  return result;
}

bool poll_hangup(const poll_desc* pd) noexcept {
  return (pd->info.load(seq_cst) & info_hangup) != 0;
}

poll_result poll_wait(poll_desc* pd, poll_mode mode) noexcept {
  section s(may_park);
  atomic<uintptr_t>& word = pd->word(mode);
  // Ends: each round either consumes readiness, returns a verdict, or was woken by a deadline that
  // was changed again before the waiter ran.
  for (;;) {
    if (const poll_result result = verdict(pd, mode); result != poll_result::ready) return result;
    uintptr_t seen = word_ready;
    if (word.compare_exchange(seen, word_nil, seq_cst, seq_cst)) return poll_result::ready;
    WEFT_ASSERT(seen == word_nil);  // else two goroutines wait in one direction
    if (!word.compare_exchange(seen, word_wait, seq_cst, seq_cst)) continue;
    // Published `wait`; now look at the verdict again. Partner: publish() before unblock().
    if (verdict(pd, mode) == poll_result::ready) {
      // Counted before it is parked: whoever looks for reasons to stay alive errs to life.
      poll.waiters.fetch_add(1, seq_cst);
      // A foreign thread leaves no M behind that would go and poll.
      if (this_machine()->is_guest && sched.last_poll.load(seq_cst) != 0) wake_p();
      park(commit_wait, &word, wait_reason::io_wait, pd);
    }
    // seq_cst: takes back `wait` if nobody came, or consumes `ready`.
    const uintptr_t old = word.exchange(word_nil, seq_cst);
    WEFT_ASSERT(old <= word_wait);
    if (old == word_ready) return poll_result::ready;
  }
}

bool poll_watch(poll_desc* pd, poll_watcher& watcher) noexcept {
  const section s;
  arch::save_fp_control(watcher.fp);
  const uintptr_t armed = reinterpret_cast<uintptr_t>(&watcher) | watcher_bit;
  // As in poll_wait(): counted before it can be taken out, and a thread must be there that polls.
  poll.waiters.fetch_add(1, seq_cst);
  uintptr_t seen = word_nil;
  if (!pd->reader.compare_exchange(seen, armed, seq_cst, seq_cst)) {
    WEFT_ASSERT(seen == word_ready);  // else somebody waits here already
    poll.waiters.fetch_sub(1, seq_cst);
    return false;
  }
  // Armed; now look at the verdict. Partner: publish() before unblock().
  if (verdict(pd, poll_mode::read) != poll_result::ready) {
    seen = armed;
    // Whoever published it may have taken the watcher out; then it runs, and tells its owner.
    if (!pd->reader.compare_exchange(seen, word_nil, seq_cst, seq_cst)) return true;
    poll.waiters.fetch_sub(1, seq_cst);
    return false;
  }
  if (this_machine()->is_guest && sched.last_poll.load(seq_cst) != 0) wake_p();
  return true;
}

bool poll_unwatch(poll_desc* pd, poll_watcher& watcher) noexcept {
  uintptr_t armed = reinterpret_cast<uintptr_t>(&watcher) | watcher_bit;
  if (!pd->reader.compare_exchange(armed, word_nil, seq_cst, seq_cst)) return false;
  poll.waiters.fetch_sub(1, seq_cst);
  return true;
}

void poll_set_deadline(poll_desc* pd, int64_t when_ns, bool read, bool write) noexcept {
  const int64_t now = now_ns();
  section s;
  waiter reader = nobody;
  waiter writer = nobody;
  {
    lock_scope hold(pd->lock);
    if ((pd->info.load(relaxed) & info_closing) != 0) return;
    const int64_t before = next_deadline(pd);
    if (read) reader = set_one(pd, poll_mode::read, when_ns, now);
    if (write) writer = set_one(pd, poll_mode::write, when_ns, now);
    set_timer(pd, before);
  }
  wake(reader);
  wake(writer);
}

void poll_evict(poll_desc* pd) noexcept {
  section s;
  waiter reader = nobody;
  waiter writer = nobody;
  {
    lock_scope hold(pd->lock);
    publish(pd, info_closing, true);
    const int64_t before = next_deadline(pd);
    pd->read_deadline = pd->write_deadline = 0;
    set_timer(pd, before);
    reader = unblock(pd, poll_mode::read, false);
    writer = unblock(pd, poll_mode::write, false);
  }
  wake(reader);
  wake(writer);
}

void poll_close(poll_desc* pd) noexcept {
  int fd = -1;
  {
    lock_scope hold(pd->lock);
    WEFT_ASSERT(pd->reader.load(relaxed) <= word_ready && pd->writer.load(relaxed) <= word_ready);
    fd = pd->fd;
    pd->fd = -1;
    pd->sequence.fetch_add(1, acq_rel);
  }
  remove_from_epoll(fd);
  give_back(pd);
}

}  // namespace weft::rt
