// SPDX-License-Identifier: Apache-2.0
// The scheduler's side of readiness polling (epoll, edge-triggered), and the descriptor states that
// net/ parks on. Implementation and protocol: netpoll.cpp.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/sched/internal/goroutine.hpp"
#include "weft/sched/internal/timer_node.hpp"

namespace weft::rt {

/// A list of goroutines linked by goroutine::link, in order.
struct g_list {
  goroutine* head = nullptr;
  goroutine* tail = nullptr;
  uint32_t count = 0;
  void push_back(goroutine* gp) noexcept {
    gp->link = nullptr;
    (tail != nullptr ? tail->link : head) = gp;
    tail = gp;
    ++count;
  }
  goroutine* pop_front() noexcept {
    goroutine* gp = head;
    if (gp == nullptr) return nullptr;
    head = gp->link;
    if (head == nullptr) tail = nullptr;
    gp->link = nullptr;
    --count;
    return gp;
  }
};

// --- called by the scheduler ---
/// Creates the epoll descriptor and the wake-up eventfd on first use by anyone. 0 or an errno.
int netpoll_init() noexcept;
[[nodiscard]] bool netpoll_initialized() noexcept;
/// Collects goroutines made runnable by I/O into `out` (status still waiting: the caller readies
/// them). delay_ns < 0: waits without limit; 0: does not wait; > 0: at most that long. Does not
/// need a P. Blocks the M only.
void netpoll(int64_t delay_ns, g_list& out) noexcept;
/// Makes a thread that waits in netpoll() return.
void netpoll_break() noexcept;
/// Goroutines parked on I/O without being sure to end (they keep the process from being dead).
[[nodiscard]] uint32_t netpoll_waiters() noexcept;

// --- called by net/ ---
enum class poll_mode : uint8_t { read, write };
enum class poll_result : uint8_t { ready, closing, timeout };

struct poll_desc;  // type-stable, from a pool; never freed to the allocator

/// Registers `fd` (non-blocking already). On failure returns null and sets `error` to the errno.
poll_desc* poll_open(int fd, int& error) noexcept;
/// Before an attempt at I/O: ready, or closing/timeout if the attempt must fail at once.
poll_result poll_reset(poll_desc* pd, poll_mode mode) noexcept;
/// True once the peer has hung up or an error was reported, for ever. Until then, after a read that
/// returned less than asked, waiting before reading again is safe: new data makes a new event.
[[nodiscard]] bool poll_hangup(const poll_desc* pd) noexcept;
/// Parks until readiness, deadline or eviction. One goroutine per mode at a time. Opens its own
/// section.
poll_result poll_wait(poll_desc* pd, poll_mode mode) noexcept;
/// What waits to read in a goroutine's place. The owner keeps it alive while it is armed.
struct poll_watcher {
  /// Called on a goroutine of its own, outside of any section.
  void (*run)(poll_watcher* self) = nullptr;
  /// Of who armed it: the goroutine inherits this floating-point environment.
  arch::fp_control fp{};
};

/// As poll_wait() for reading, but nobody waits: on readiness, deadline or eviction `watcher.run`
/// is called, once, on a new goroutine. False: one of these is there already, and nothing was
/// armed. Opens its own section.
[[nodiscard]] bool poll_watch(poll_desc* pd, poll_watcher& watcher) noexcept;
/// True: the watcher was taken out and will not run. False: it is about to run, or has.
[[nodiscard]] bool poll_unwatch(poll_desc* pd, poll_watcher& watcher) noexcept;
/// Deadline on now_ns()'s clock: 0 none; in the past: wakes waiters with timeout at once.
/// `read`/`write` say which directions it is for.
void poll_set_deadline(poll_desc* pd, int64_t when_ns, bool read, bool write) noexcept;
/// Wakes all waiters with `closing`; later waits return `closing`. First step of close.
void poll_evict(poll_desc* pd) noexcept;
/// Unregisters and returns pd to the pool. No waiter is left (evict first).
void poll_close(poll_desc* pd) noexcept;

}  // namespace weft::rt
