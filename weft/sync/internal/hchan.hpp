// SPDX-License-Identifier: Apache-2.0
// hchan: the channel itself, untyped. chan<T> is a counted pointer to one.
//
//   buffer (capacity elements, a ring)         queues of sudogs, on the waiters' stacks
//   +---+---+---+---+---+                       recvq: G7 -> G9         (buffer empty)
//   | c | d |   | a | b |                       sendq: G3 -> G4         (buffer full)
//   +---+---+---+---+---+
//         ^send     ^recv
//
// Invariants, for a channel that is not a timer's; check() executes them:
//  1. recvq and sendq are not both non-empty, except for one goroutine that is in both by a select.
//     Otherwise two goroutines that could serve each other both sleep.
//  2. count > 0 implies recvq is empty; count < capacity implies sendq is empty (selects that
//     another channel has won apart: they stay queued until they run). Otherwise order is lost.
//  3. 0 <= count <= capacity, and (recv_index + count) % capacity == send_index.
//
// The lock protects every field but `refs`. Elements are moved under it, in a section: their move
// constructors must neither park nor throw. Nothing else of the user's runs there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/channel.hpp"
#include "weft/sync/internal/element.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft::rt {

struct channel_timer;

/// The edges of one place of a buffer: of its last send, and of its last receive. The k-th receive
/// on a channel of capacity C happens before the (k+C)-th send completes, which uses its place.
struct race_place {
  [[no_unique_address]] race_relay sent;
  [[no_unique_address]] race_relay received;
};

struct hchan {
  futex_mutex lock{lock_rank::channel};
  /// 0, then 1 for ever. Written under lock; read without it by fast paths.
  atomic<uint32_t> closed{0};
  /// Handles (chan, send_chan, recv_chan). By anyone, atomically.
  atomic<uint32_t> refs{1};
  /// Elements in the buffer. Written under lock; read without it by len() and fast paths.
  atomic<size_t> count{0};
  size_t capacity = 0;
  size_t send_index = 0;
  size_t recv_index = 0;
  std::byte* buffer = nullptr;
  const element_ops* ops = nullptr;
  /// race_enabled: one for each place, behind the buffer; else null.
  race_place* race_places = nullptr;
  /// What happened before close(), for those who find the channel closed.
  [[no_unique_address]] race_edge race_closed;
  wait_queue recvq;
  wait_queue sendq;
  /// Elements are copied as one machine word: the fast paths handle only those. Set when made.
  bool word_elements = false;
  /// Set once, before it is shared: the timer that sends here (timer.cpp).
  channel_timer* timer = nullptr;

  [[nodiscard]] void* at(size_t index) noexcept { return buffer + index * ops->bytes; }
  [[nodiscard]] size_t after(size_t index) const noexcept {
    return index + 1 == capacity ? 0 : index + 1;
  }
  /// Hints for operations that do not wait; exact under lock.
  [[nodiscard]] bool looks_full() const noexcept {
    return capacity == 0 ? recvq.empty() : count.load(relaxed) == capacity;
  }
  [[nodiscard]] bool looks_empty() const noexcept {
    return capacity == 0 ? sendq.empty() : count.load(relaxed) == 0;
  }
  void check() const noexcept WEFT_REQUIRES(lock);
};

/// As if the caller used `c` for sending, and read the element at `element`: Go's detector reports
/// a send that is not ordered with close(), and so does ours.
inline void race_note_send(hchan& c, void* element, void* call_pc) noexcept {
  if constexpr (race_enabled) {
    const race_caller user(call_pc);
    race_read(&c);
    race_read(element, c.ops->bytes);
  }
}
inline void race_note_close(hchan& c, void* call_pc) noexcept {
  const race_caller user(call_pc);
  race_write(&c);
}
/// A receiver goes on because `c` is closed.
inline void race_note_closed(hchan& c) noexcept { c.race_closed.acquire(); }
/// One who waited at its channel runs again, and has acquired nothing yet: a place of the buffer
/// may have its edge on loan.
inline void race_settle(sudog& self) noexcept WEFT_UNCHECKED {
  if (!self.from_waiter.lent()) return;
  self.c->lock.lock();
  self.from_waiter.settle();
  self.c->lock.unlock_kept();
}
/// A receiver of a timer's channel goes on: what set the timer happened before.
void race_note_time(hchan& c) noexcept;

/// One attempt under the lock. `wakes` receives a waiter that the caller wakes after unlocking.
[[nodiscard]] chan_status send_locked(hchan& c, void* element, sudog** wakes) noexcept
    WEFT_REQUIRES(c.lock);
[[nodiscard]] chan_status recv_locked(hchan& c, void* slot, sudog** wakes) noexcept
    WEFT_REQUIRES(c.lock);
/// Marks it closed and chains all waiters by `next`, for wake_closed() after unlocking.
[[nodiscard]] sudog* close_locked(hchan& c) noexcept WEFT_REQUIRES(c.lock);
void wake_closed(sudog* chain) noexcept;

/// Runs the channel's timer if it is due: a receive must not depend on the scheduler having had
/// time to. Needs a section; no lock.
void poll_channel_timer(hchan& c) noexcept;
/// Frees the timer together with its channel, once no `fire` runs. Needs no section.
void free_channel_timer(channel_timer* timer) noexcept;

}  // namespace weft::rt
