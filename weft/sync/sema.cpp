// SPDX-License-Identifier: Apache-2.0
// sema: take a permit or sleep; give one or wake.
#include "weft/sync/internal/sema.hpp"

#include "weft/sync/internal/parking.hpp"

namespace weft::rt {

WEFT_UNCHECKED void sema::acquire(bool lifo, wait_reason why, const void* on) noexcept {
  lock_.lock();
  if (permits_ > 0) {
    --permits_;
    lock_.unlock();
    return;
  }
  sudog self;
  self.g = current();
  if (lifo)
    queue_.push_front(&self);
  else
    queue_.push_back(&self);
  park_unlock(lock_, why, on);
}

WEFT_UNCHECKED void sema::release() noexcept {
  lock_.lock();
  sudog* first = queue_.dequeue();
  if (first == nullptr) ++permits_;
  lock_.unlock();
  if (first != nullptr) wake(first, true);
}

}  // namespace weft::rt
