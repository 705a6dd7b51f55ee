// SPDX-License-Identifier: Apache-2.0
// The channel's operations, each one section and one lock.
//
// A sender that finds a receiver waiting moves the element from its own stack straight into the
// receiver's and makes the receiver runnable; the receiver, once it runs, has nothing left to do.
// The same the other way round. So a value is moved once, or twice through the buffer, and nobody
// retries after being woken.
//
// Rejected: a lock-free ring (Vyukov) for buffered channels. select, close and exact hand-over need
// the queue of waiters and the buffer to change together; the lock costs two uncontended
// read-modify-writes, which the ring's two (slot and index) would cost as well.
#include "weft/sync/chan.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>

#include "weft/base/panic.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sync/internal/hchan.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft::rt {
namespace {

// User address space of both architectures; nothing larger can exist.
constexpr size_t chan_bytes_max = size_t{1} << 47;
constexpr size_t header_bytes = (sizeof(hchan) + 63) / 64 * 64;

size_t alignment_of(const element_ops& ops) noexcept {
  return ops.align < alignof(hchan) ? alignof(hchan) : ops.align;
}

size_t buffer_offset(const element_ops& ops) noexcept {
  return (header_bytes + ops.align - 1) / ops.align * ops.align;
}

void destroy(hchan* c) noexcept {
  // A goroutine that still waits here holds a dangling handle and can never be woken through it;
  // a select of its may yet lock this channel to leave its queue. So the memory stays.
  if (!c->recvq.empty() || !c->sendq.empty()) return;
  if (c->timer != nullptr) {
    free_channel_timer(c->timer);
    c->timer = nullptr;
  }
  const element_ops& ops = *c->ops;
  for (size_t left = c->count.load(relaxed); left > 0; --left) {
    if constexpr (race_enabled) c->race_places[c->recv_index].sent.acquire();
    destroy_element(ops, c->at(c->recv_index));
    c->recv_index = c->after(c->recv_index);
  }
  const size_t align = alignment_of(ops);
  std::destroy_at(c);
  object_delete(c, align);
}

[[noreturn]] void block_on_nil(wait_reason why) noexcept {
  section s(may_park);
  park_forever(why);
}

}  // namespace

void panic_send_on_closed() { panic("send on closed channel"); }

hchan* make_hchan(const element_ops& ops, int64_t capacity) {
  const size_t offset = buffer_offset(ops);
  if (capacity < 0 || static_cast<uint64_t>(capacity) > (chan_bytes_max - offset) / ops.bytes)
    panic("makechan: size out of range");
  size_t bytes = offset + static_cast<size_t>(capacity) * ops.bytes;
  const size_t places_at =
      (bytes + alignof(race_place) - 1) / alignof(race_place) * alignof(race_place);
  if constexpr (race_enabled)
    bytes = places_at + static_cast<size_t>(capacity) * sizeof(race_place);
  if (sim_enabled) [[unlikely]]
    sim_allocation();
  void* memory = object_new(bytes, alignment_of(ops));
  auto* c = ::new (memory) hchan;
  c->capacity = static_cast<size_t>(capacity);
  c->buffer = static_cast<std::byte*>(memory) + offset;
  c->ops = &ops;
  c->word_elements = !race_enabled && is_word(ops);
  if constexpr (race_enabled) {
    c->race_places = reinterpret_cast<race_place*>(static_cast<std::byte*>(memory) + places_at);
    std::uninitialized_value_construct_n(c->race_places, capacity);
  }
  return c;
}

void retain_chan(hchan* c) noexcept { c->refs.fetch_add(1, relaxed); }

void release_chan(hchan* c) noexcept {
  // acq_rel: the last one destroys what the others did; partner: the other releases.
  if (c->refs.fetch_sub(1, acq_rel) == 1) destroy(c);
}

size_t chan_len(const hchan* c) noexcept {
  return c == nullptr || c->timer != nullptr ? 0 : c->count.load(relaxed);
}

size_t chan_cap(const hchan* c) noexcept {
  return c == nullptr || c->timer != nullptr ? 0 : c->capacity;
}

void hchan::check() const noexcept {
  const size_t n = count.load(relaxed);
  WEFT_CHECK_SLOW(n <= capacity);
  WEFT_CHECK_SLOW(capacity == 0 || (recv_index + n) % capacity == send_index);
}

namespace {

/// Says what is ordered when an element changes hands, as Go's racesync and racenotify do. A timer
/// is no goroutine: race_note_time().
///
/// A buffered send: what came before it happens before the receive; the receive that made room
/// happens before it goes on.
void race_note_sent(hchan& c, size_t place) noexcept {
  if constexpr (race_enabled) {
    if (c.timer != nullptr) return;
    c.race_places[place].sent.release();
    c.race_places[place].received.acquire();
  }
}

void race_note_received(hchan& c, size_t place) noexcept {
  if constexpr (race_enabled) {
    if (c.timer != nullptr) return;
    c.race_places[place].received.release();
    c.race_places[place].sent.acquire();
  }
}

/// An element goes to, or comes from, one who waits.
void race_note_meeting(hchan& c, sudog& waiter) noexcept {
  if constexpr (race_enabled) {
    if (c.timer != nullptr) return;
    waiter.from_waker.release();
    if (c.capacity == 0) waiter.from_waiter.acquire();
  }
}

/// A sender waits at a full buffer, and a receive has made room for its element.
void race_note_refilled(hchan& c, size_t place, sudog& sender) noexcept {
  if constexpr (race_enabled) sender.from_waiter.lend(c.race_places[place].sent);
}

/// A receive is over, but for its elements' edges.
void race_note_outcome(hchan& c, chan_status status) noexcept {
  if (status == chan_status::closed) race_note_closed(c);
  if (status == chan_status::ok && c.timer != nullptr) race_note_time(c);
}

/// A receiver waits at an empty buffer: as if the element went through it.
void race_note_through(hchan& c, sudog& receiver) noexcept {
  if constexpr (race_enabled) {
    if (c.timer != nullptr || c.capacity == 0) return;
    const size_t place = c.recv_index;
    race_note_sent(c, place);
    receiver.from_waiter.lend(c.race_places[place].received);
    c.recv_index = c.send_index = c.after(place);
  }
}

}  // namespace

chan_status send_locked(hchan& c, void* element, sudog** wakes) noexcept {
  c.check();
  if (c.closed.load(relaxed) != 0) return chan_status::closed;
  if (sudog* receiver = c.recvq.dequeue(); receiver != nullptr) {
    race_note_meeting(c, *receiver);
    race_note_through(c, *receiver);
    move_element(*c.ops, receiver->element, element);
    *wakes = receiver;
    return chan_status::ok;
  }
  const size_t n = c.count.load(relaxed);
  if (n == c.capacity) return chan_status::would_block;
  race_note_sent(c, c.send_index);
  move_element(*c.ops, c.at(c.send_index), element);
  c.send_index = c.after(c.send_index);
  c.count.store(n + 1, relaxed);
  return chan_status::ok;
}

chan_status recv_locked(hchan& c, void* slot, sudog** wakes) noexcept {
  c.check();
  const size_t n = c.count.load(relaxed);
  sudog* sender = c.closed.load(relaxed) == 0 ? c.sendq.dequeue() : nullptr;
  if (n == 0) {
    if (sender == nullptr)
      return c.closed.load(relaxed) != 0 ? chan_status::closed : chan_status::would_block;
    race_note_meeting(c, *sender);
    move_element(*c.ops, slot, sender->element);
    *wakes = sender;
    return chan_status::ok;
  }
  if (sender != nullptr) race_note_meeting(c, *sender);
  const size_t place = c.recv_index;
  race_note_received(c, place);
  void* head = c.at(place);
  relocate_element(*c.ops, slot, head);
  c.recv_index = c.after(place);
  if (sender != nullptr) {
    // The buffer was full: the place that became free is the tail. Order is kept.
    race_note_refilled(c, place, *sender);
    move_element(*c.ops, head, sender->element);
    c.send_index = c.recv_index;
    *wakes = sender;
  } else {
    c.count.store(n - 1, relaxed);
  }
  return chan_status::ok;
}

namespace {

/// What a send or receive does once the channel is locked; ends the section. `c` is locked, and the
/// caller's handle keeps it.
WEFT_UNCHECKED chan_status send_and_leave(hchan* c, void* element, bool wait) noexcept {
  sudog* receiver = nullptr;
  chan_status status = send_locked(*c, element, &receiver);
  if (status != chan_status::would_block || !wait) {
    c->lock.unlock_kept();
    if (receiver != nullptr) wake(receiver, true);
  } else {
    sudog self;
    self.g = current();
    self.element = element;
    self.c = c;
    c->sendq.push_back(&self);
    self.from_waiter.release();
    park_unlock(c->lock, wait_reason::chan_send, c);
    race_settle(self);
    if (self.success) self.from_waker.acquire();
    status = self.success ? chan_status::ok : chan_status::closed;
  }
  leave_section();
  return status;
}

WEFT_UNCHECKED chan_status recv_and_leave(hchan* c, void* slot, bool wait) noexcept {
  sudog* sender = nullptr;
  chan_status status = recv_locked(*c, slot, &sender);
  if (status != chan_status::would_block || !wait) {
    c->lock.unlock_kept();
    if (sender != nullptr) wake(sender, true);
  } else {
    sudog self;
    self.g = current();
    self.element = slot;
    self.c = c;
    c->recvq.push_back(&self);
    self.from_waiter.release();
    park_unlock(c->lock, wait_reason::chan_receive, c);
    race_settle(self);
    if (self.success && c->timer == nullptr) self.from_waker.acquire();
    status = self.success ? chan_status::ok : chan_status::closed;
  }
  race_note_outcome(*c, status);
  leave_section();
  return status;
}

// The whole of a send or receive, for every case. noinline: the fast paths call it last, so that
// they need no frame of their own.
__attribute__((noinline)) WEFT_UNCHECKED chan_status send_any(hchan* c, void* element,
                                                              bool wait) noexcept {
  if (!wait && sim_enabled) [[unlikely]]
    sim_point();
  if (c == nullptr) {
    if (!wait) return chan_status::would_block;
    block_on_nil(wait_reason::chan_send_nil);
  }
  // Without a lock: the channel was open at the first load and full at the second. A channel does
  // not reopen, so at the moment of the first load it was open, and a moment later full: answering
  // as of then is right, whatever happens in between.
  if (!wait && c->closed.load(acquire) == 0 && c->looks_full()) return chan_status::would_block;
  enter_section(may_park);
  c->lock.lock();
  return send_and_leave(c, element, wait);
}

__attribute__((noinline)) WEFT_UNCHECKED chan_status recv_any(hchan* c, void* slot,
                                                              bool wait) noexcept {
  if (!wait && sim_enabled) [[unlikely]]
    sim_point();
  if (c == nullptr) {
    if (!wait) return chan_status::would_block;
    block_on_nil(wait_reason::chan_receive_nil);
  }
  if (!wait && c->timer == nullptr && c->looks_empty()) {
    // Empty, then open: nothing was there at the first load. acquire: partner close_locked(); a
    // channel seen closed must be looked at again, for elements may have come before the close.
    if (c->closed.load(acquire) == 0) return chan_status::would_block;
    if (c->looks_empty()) {
      race_note_closed(*c);
      return chan_status::closed;
    }
  }
  enter_section(may_park);
  if (c->timer != nullptr) [[unlikely]]
    poll_channel_timer(*c);
  c->lock.lock();
  return recv_and_leave(c, slot, wait);
}

/// The rest of a send or receive whose fast path holds the lock and found that it is not for it.
__attribute__((noinline)) WEFT_UNCHECKED chan_status send_rest(hchan* c, void* element,
                                                               bool wait) noexcept {
  return send_and_leave(c, element, wait);
}
__attribute__((noinline)) WEFT_UNCHECKED chan_status recv_rest(hchan* c, void* slot,
                                                               bool wait) noexcept {
  return recv_and_leave(c, slot, wait);
}

}  // namespace

// The fast paths: a word through the buffer, nobody waiting, nothing asked of this thread. They are
// leaves: whatever is not that simple goes on in a function called last.
WEFT_UNCHECKED chan_status chan_send(hchan* c, void* element, bool wait) noexcept {
  if constexpr (race_enabled)
    if (c != nullptr) race_note_send(*c, element, __builtin_return_address(0));
  if (c == nullptr || !c->word_elements || !try_enter_section()) [[unlikely]]
    return send_any(c, element, wait);
  if (!c->lock.try_lock()) [[unlikely]] {
    leave_section();
    return send_any(c, element, wait);
  }
  const size_t n = c->count.load(relaxed);
  if (n == c->capacity || !c->recvq.empty() || c->closed.load(relaxed) != 0)
    return send_rest(c, element, wait);
  std::memcpy(c->buffer + c->send_index * sizeof(void*), element, sizeof(void*));
  c->send_index = c->after(c->send_index);
  c->count.store(n + 1, relaxed);
  c->lock.unlock_kept();
  leave_section();
  return chan_status::ok;
}

WEFT_UNCHECKED chan_status chan_recv(hchan* c, void* slot, bool wait) noexcept {
  if (c == nullptr || !c->word_elements || c->timer != nullptr || !try_enter_section()) [[unlikely]]
    return recv_any(c, slot, wait);
  if (!c->lock.try_lock()) [[unlikely]] {
    leave_section();
    return recv_any(c, slot, wait);
  }
  const size_t n = c->count.load(relaxed);
  if (n == 0 || !c->sendq.empty()) return recv_rest(c, slot, wait);
  std::memcpy(slot, c->buffer + c->recv_index * sizeof(void*), sizeof(void*));
  c->recv_index = c->after(c->recv_index);
  c->count.store(n - 1, relaxed);
  c->lock.unlock_kept();
  leave_section();
  return chan_status::ok;
}

sudog* close_locked(hchan& c) noexcept {
  c.race_closed.release();
  // release: partner: the acquire load in chan_recv(); elements sent before are visible then.
  c.closed.store(1, release);
  sudog* chain = nullptr;
  sudog** tail = &chain;
  for (wait_queue* queue : {&c.recvq, &c.sendq}) {
    while (sudog* sg = queue->dequeue()) {
      *tail = sg;
      tail = &sg->next;
    }
  }
  return chain;
}

void wake_closed(sudog* chain) noexcept {
  while (chain != nullptr) {
    sudog* sg = chain;
    chain = sg->next;  // read before: its frame is gone once it runs
    wake(sg, false);
  }
}

WEFT_UNCHECKED void chan_close(hchan* c) {
  if (c == nullptr) panic("close of nil channel");
  race_note_close(*c, __builtin_return_address(0));
  bool was_closed;
  {
    section s;
    c->lock.lock();
    was_closed = c->closed.load(relaxed) != 0;
    sudog* waiters = was_closed ? nullptr : close_locked(*c);
    c->lock.unlock_kept();
    wake_closed(waiters);
  }
  if (was_closed) panic("close of closed channel");
}

}  // namespace weft::rt
