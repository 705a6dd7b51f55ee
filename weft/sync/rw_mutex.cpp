// SPDX-License-Identifier: Apache-2.0
// rw_mutex: everything that involves a writer happens under one internal lock; readers alone need
// only the counter.
//
// A writer subtracts readers_max from the counter: from then on every arriving and leaving reader
// sees a negative number and comes to the slow path, where it queues, or counts itself out of
// readers_to_leave_. unlock() adds readers_max back: what the counter then shows are the readers
// that came meanwhile, and all of them are in. If another writer waits it is the owner-to-be at
// once, and waits for exactly these readers.
//
// Lifetime: whoever gives the lock away by the counter does so as its only step, or still holds
// lock_; the destructor takes lock_, so it waits for the latter.
//
// Rejected: Go's structure, a mutex for writers plus two semaphores. Its Unlock releases the
// writers' mutex last, when the readers it has let in may already have destroyed the object.
#include "weft/sync/rw_mutex.hpp"

#include <utility>

#include "weft/base/panic.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft {

WEFT_UNCHECKED rw_mutex::~rw_mutex() {
  const rt::section s;
  lock_.lock();
  lock_.unlock();
}

// Readers are not ordered among themselves: what they did is released at one address, for writers,
// and what writers did at another, for all. As in Go.
void rw_mutex::lock() noexcept {
  lock_to_write();
  rt::race_acquire(&readers_);
  rt::race_acquire(&lock_);
}

void rw_mutex::lock_shared_seen() noexcept {
  if (rt::attention.load(rt::relaxed) != 0) rt::attend();
  // acquire: as in lock_shared().
  if (readers_.fetch_add(1, rt::acquire) + 1 < 0) lock_shared_slow();
  rt::race_acquire(&readers_);
}

void rw_mutex::unlock_shared_seen() noexcept {
  rt::race_release(&lock_);
  // release: as in unlock_shared().
  const int32_t left = readers_.fetch_sub(1, rt::release) - 1;
  if (left < 0) unlock_shared_slow(left);
}

WEFT_UNCHECKED void rw_mutex::lock_to_write() noexcept {
  rt::section s(rt::may_park);
  lock_.lock();
  rt::sudog self;
  if (writer_) {
    self.g = rt::current();
    waiting_writers_.push_back(&self);
    rt::park_unlock(lock_, rt::wait_reason::rw_mutex_lock, this);
    return;  // unlock() has made us the writer, and the readers have left
  }
  writer_ = true;
  // acquire: partner: the release in unlock_shared() and unlock().
  const int32_t inside = readers_.fetch_sub(readers_max, rt::acquire);
  readers_to_leave_ += inside;
  if (readers_to_leave_ == 0) {
    lock_.unlock();
    return;
  }
  self.g = rt::current();
  draining_ = &self;
  rt::park_unlock(lock_, rt::wait_reason::rw_mutex_lock, this);
}

WEFT_UNCHECKED bool rw_mutex::try_lock() noexcept {
  rt::section s;
  lock_.lock();
  int32_t none = 0;
  // acquire: as in lock().
  const bool taken =
      !writer_ && readers_.compare_exchange(none, -readers_max, rt::acquire, rt::relaxed);
  if (taken) writer_ = true;
  lock_.unlock();
  if (taken) {
    rt::race_acquire(&readers_);
    rt::race_acquire(&lock_);
  }
  return taken;
}

WEFT_UNCHECKED void rw_mutex::unlock() noexcept {
  rt::section s;
  lock_.lock();
  if (!writer_ || draining_ != nullptr) {
    lock_.unlock();
    rt::fatal("sync: Unlock of unlocked RWMutex");
  }
  rt::race_release(&readers_);
  // release: partner: the acquire in lock_shared() and lock_to_write(). All who have come are in
  // now.
  const int32_t came = readers_.fetch_add(readers_max, rt::release) + readers_max;
  rt::sudog* readers = nullptr;
  rt::sudog** tail = &readers;
  int32_t queued = 0;
  while (rt::sudog* sg = waiting_readers_.dequeue()) {
    *tail = sg;
    tail = &sg->next;
    ++queued;
  }
  admitted_ += came - queued;  // on their way to lock_shared_slow()

  rt::sudog* next_writer = waiting_writers_.dequeue();
  writer_ = next_writer != nullptr;
  if (next_writer != nullptr) {
    readers_to_leave_ += readers_.fetch_sub(readers_max, rt::acquire);
    if (readers_to_leave_ != 0) {
      draining_ = next_writer;
      next_writer = nullptr;
    }
  }
  lock_.unlock();
  while (readers != nullptr) {
    rt::sudog* sg = readers;
    readers = sg->next;
    rt::wake(sg, true);
  }
  if (next_writer != nullptr) rt::wake(next_writer, true);
}

WEFT_UNCHECKED void rw_mutex::lock_shared_slow() noexcept {
  rt::section s(rt::may_park);
  lock_.lock();
  if (admitted_ > 0) {
    --admitted_;
    lock_.unlock();
    return;
  }
  rt::sudog self;
  self.g = rt::current();
  waiting_readers_.push_back(&self);
  rt::park_unlock(lock_, rt::wait_reason::rw_mutex_rlock, this);
}

bool rw_mutex::try_lock_shared() noexcept {
  if (rt::sim_enabled) [[unlikely]]
    rt::sim_point();
  int32_t readers = readers_.load(rt::relaxed);
  // Ends: each failure means that somebody else's step succeeded.
  while (readers >= 0) {
    // acquire: as in lock_shared().
    if (readers_.compare_exchange(readers, readers + 1, rt::acquire, rt::relaxed)) {
      rt::race_acquire(&readers_);
      return true;
    }
  }
  return false;
}

WEFT_UNCHECKED void rw_mutex::unlock_shared_slow(int32_t left) noexcept {
  if (left == -1 || left == -readers_max - 1) rt::fatal("sync: RUnlock of unlocked RWMutex");
  rt::section s;
  lock_.lock();
  rt::sudog* writer = nullptr;
  if (--readers_to_leave_ == 0) writer = std::exchange(draining_, nullptr);
  lock_.unlock();
  if (writer != nullptr) rt::wake(writer, true);
}

}  // namespace weft
