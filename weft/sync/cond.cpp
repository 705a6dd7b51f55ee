// SPDX-License-Identifier: Apache-2.0
// cond: between queueing and parking a waiter runs the user's unlock(), so a signal may come before
// it sleeps. Its state decides between the two, without the cond, which may be gone by then:
//
//   waiting --- park's commit ---> parked --- notify() ---> notified, and ready()
//      \-------- notify() --------> notified: the waiter sees it and does not sleep
#include "weft/sync/cond.hpp"

#include "weft/sync/internal/parking.hpp"

namespace weft {

void cond::enqueue(waiter& self) noexcept {
  const rt::section s;
  self.sg.g = rt::current();
  self.sg.element = &self;
  const rt::lock_scope held(lock_);
  queue_.push_back(&self.sg);
}

void cond::sleep(waiter& self) noexcept {
  sleep_until_notified(self);
  self.sg.from_waker.acquire();
}

void cond::sleep_until_notified(waiter& self) noexcept {
  const rt::section s(rt::may_park);
  // acquire: partner: the release in notify().
  if (self.state.load(rt::acquire) == notified) return;
  rt::park(
      [](rt::goroutine*, void* argument) noexcept {
        uint32_t expected = waiting;
        // release: the frame is written when notify() reads it. acquire: as above.
        return static_cast<waiter*>(argument)->state.compare_exchange(expected, parked, rt::release,
                                                                      rt::acquire);
      },
      &self, rt::wait_reason::cond_wait, this);
}

void cond::abandon(waiter& self) noexcept {
  const rt::section s;
  const rt::lock_scope held(lock_);
  if (self.sg.queue != nullptr) {
    queue_.remove(&self.sg);
    return;
  }
  // Dequeued by a signal that may not have come to notify() yet: it still reads *self.
  while (self.state.load(rt::acquire) != notified) rt::os::yield_thread();
}

void cond::notify(waiter* w) noexcept {
  rt::goroutine* gp = w->sg.g;
  w->sg.from_waker.release();
  // acq_rel: partners: both orders in sleep(). If it was not parked, *w is gone from here on.
  if (w->state.exchange(notified, rt::acq_rel) != parked) return;
  gp->top->wake_value = w;
  rt::ready(gp);
}

WEFT_UNCHECKED void cond::signal() noexcept {
  const rt::section s;
  lock_.lock();
  rt::sudog* sg = queue_.dequeue();
  lock_.unlock();
  if (sg != nullptr) notify(owner_of(sg));
}

WEFT_UNCHECKED void cond::broadcast() noexcept {
  const rt::section s;
  rt::sudog* chain = nullptr;
  rt::sudog** tail = &chain;
  lock_.lock();
  while (rt::sudog* sg = queue_.dequeue()) {
    *tail = sg;
    tail = &sg->next;
  }
  lock_.unlock();
  while (chain != nullptr) {
    rt::sudog* sg = chain;
    chain = sg->next;
    notify(owner_of(sg));
  }
}

}  // namespace weft
