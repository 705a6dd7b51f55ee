// SPDX-License-Identifier: Apache-2.0
// semaphore: each waiter has a channel of its own, on its stack, that is closed when its units have
// been taken for it; so it can wait for that and for its context with one select.
//
// The channel is closed under lock_, and the waiter takes lock_ before it returns: whoever closed
// it is through with it by then.
#include "weft/sync/semaphore.hpp"

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/hchan.hpp"
#include "weft/sync/internal/parking.hpp"
#include "weft/sync/internal/select.hpp"

namespace weft {

bool semaphore::take_locked(int64_t n) noexcept {
  if (free_ < n || !queue_.empty()) return false;
  free_ -= n;
  return true;
}

/// Serves the queue as far as the units go. Returns waiters to wake after unlocking.
WEFT_UNCHECKED rt::sudog* semaphore::grant_locked() noexcept {
  rt::sudog* chain = nullptr;
  rt::sudog** tail = &chain;
  for (;;) {  // ends: each round removes a waiter
    rt::sudog* first = queue_.first.load(rt::relaxed);
    if (first == nullptr || free_ < first->ticket) return chain;
    free_ -= first->ticket;
    queue_.remove(first);
    first->c->lock.lock();
    *tail = rt::close_locked(*first->c);
    first->c->lock.unlock();
    while (*tail != nullptr) tail = &(*tail)->next;
  }
}

WEFT_UNCHECKED void semaphore::give_back(int64_t n) noexcept {
  const rt::section s;
  lock_.lock();
  free_ += n;
  rt::sudog* chain = grant_locked();
  lock_.unlock();
  rt::wake_closed(chain);
}

result<void> semaphore::acquire(const context& ctx, int64_t n) {
  result<void> taken = acquire_unseen(ctx, n);
  if (taken) rt::race_acquire(this);
  return taken;
}

WEFT_UNCHECKED result<void> semaphore::acquire_unseen(const context& ctx, int64_t n) {
  if (error ended = ctx.err()) return fail(std::move(ended));
  rt::hchan* done = ctx.done_raw();
  rt::hchan granted;
  granted.ops = &rt::element_ops_of<std::monostate>;
  rt::sudog self;
  self.ticket = n;
  self.c = &granted;
  {
    const rt::section s;
    lock_.lock();
    const bool taken = take_locked(n);
    if (!taken && n <= size_) queue_.push_back(&self);
    lock_.unlock();
    if (taken) return {};
  }

  std::monostate nothing[2];
  rt::select_room<2> room;
  room.cases[0] = {.what = rt::scase::kind::recv, .c = &granted, .element = &nothing[0]};
  room.cases[1] = {.what = rt::scase::kind::recv, .c = done, .element = &nothing[1]};
  const bool ended = rt::select_go(room.cases, room.waits, room.order, 2).index == 1;
  bool holds;
  rt::sudog* chain = nullptr;
  {
    const rt::section s;
    lock_.lock();
    holds = granted.closed.load(rt::relaxed) != 0;
    // Leaving the queue may let smaller requests behind this one through.
    if (self.queue != nullptr) {
      queue_.remove(&self);
      chain = grant_locked();
    }
    lock_.unlock();
    rt::wake_closed(chain);
  }
  if (!ended && !ctx.err()) return {};
  if (holds) give_back(n);
  return fail(ctx.err());
}

void semaphore::acquire(int64_t n) { (void)acquire(background(), n); }

WEFT_UNCHECKED bool semaphore::try_acquire(int64_t n) noexcept {
  const rt::section s;
  lock_.lock();
  const bool taken = take_locked(n);
  lock_.unlock();
  if (taken) rt::race_acquire(this);
  return taken;
}

WEFT_UNCHECKED void semaphore::release(int64_t n) {
  bool too_many;
  rt::race_release(this);
  {
    const rt::section s;
    lock_.lock();
    too_many = n > size_ - free_;
    rt::sudog* chain = nullptr;
    if (!too_many) {
      free_ += n;
      chain = grant_locked();
    }
    lock_.unlock();
    rt::wake_closed(chain);
  }
  if (too_many) panic("semaphore: released more than held");
}

}  // namespace weft
