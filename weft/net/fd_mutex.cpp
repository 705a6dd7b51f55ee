// SPDX-License-Identifier: Apache-2.0
// References and turns of one descriptor; transitions in fd_mutex.hpp's picture.
#include "weft/net/internal/fd_mutex.hpp"

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft::rt {

namespace {

inline constexpr uint64_t closed_bit = 1;
inline constexpr uint64_t ref_one = 1 << 3;
inline constexpr uint64_t field_max = (1 << 20) - 1;
inline constexpr uint64_t ref_mask = field_max << 3;

struct side_bits {
  uint64_t held;
  uint64_t wait_one;
  uint64_t wait_mask;
};
constexpr side_bits bits_of(fd_side side) noexcept {
  return side == fd_side::read ? side_bits{1 << 1, uint64_t{1} << 23, field_max << 23}
                               : side_bits{1 << 2, uint64_t{1} << 43, field_max << 43};
}

inline constexpr const char* too_many =
    "too many concurrent operations on one socket (max 1048575)";

}  // namespace

bool fd_mutex::incref() noexcept {
  uint64_t old = state_.load(relaxed);
  do {
    if ((old & closed_bit) != 0) return false;
    if ((old & ref_mask) == ref_mask) fatal(too_many);
  } while (!state_.compare_exchange(old, old + ref_one, acquire, relaxed));
  return true;
}

bool fd_mutex::is_last(uint64_t state) const noexcept {
  if ((state & (closed_bit | ref_mask)) != closed_bit) return false;
  race_acquire(this);
  return true;
}

bool fd_mutex::decref() noexcept {
  race_release(this);
  // acq_rel: what every operation did happens before the destruction by the last one.
  const uint64_t old = state_.fetch_sub(ref_one, acq_rel);
  WEFT_ASSERT((old & ref_mask) != 0);
  return is_last(old - ref_one);
}

bool fd_mutex::incref_and_close() noexcept WEFT_UNCHECKED {  // wake() locks
  constexpr uint64_t waits = bits_of(fd_side::read).wait_mask | bits_of(fd_side::write).wait_mask;
  uint64_t old = state_.load(relaxed);
  do {
    if ((old & closed_bit) != 0) return false;
    if ((old & ref_mask) == ref_mask) fatal(too_many);
  } while (
      !state_.compare_exchange(old, ((old | closed_bit) + ref_one) & ~waits, acq_rel, relaxed));
  if ((old & waits) != 0) {
    wake(fd_side::read, (old & bits_of(fd_side::read).wait_mask) / bits_of(fd_side::read).wait_one);
    wake(fd_side::write,
         (old & bits_of(fd_side::write).wait_mask) / bits_of(fd_side::write).wait_one);
  }
  return true;
}

bool fd_mutex::lock(fd_side side) noexcept WEFT_UNCHECKED {  // sleep() locks
  const side_bits bits = bits_of(side);
  for (;;) {
    uint64_t old = state_.load(relaxed);
    uint64_t next = 0;
    do {
      if ((old & closed_bit) != 0) return false;
      if ((old & bits.held) == 0) {
        if ((old & ref_mask) == ref_mask) fatal(too_many);
        next = (old | bits.held) + ref_one;
      } else {
        if ((old & bits.wait_mask) == bits.wait_mask) fatal(too_many);
        next = old + bits.wait_one;
      }
      // acquire: partner is unlock().
    } while (!state_.compare_exchange(old, next, acquire, relaxed));
    if ((old & bits.held) == 0) return true;
    sleep(side);
  }
}

bool fd_mutex::unlock(fd_side side) noexcept WEFT_UNCHECKED {  // wake() locks
  const side_bits bits = bits_of(side);
  race_release(this);
  uint64_t old = state_.load(relaxed);
  uint64_t next = 0;
  do {
    WEFT_ASSERT((old & bits.held) != 0 && (old & ref_mask) != 0);
    next = (old & ~bits.held) - ref_one;
    if ((old & bits.wait_mask) != 0) next -= bits.wait_one;
  } while (!state_.compare_exchange(old, next, acq_rel, relaxed));
  if ((old & bits.wait_mask) != 0) wake(side, 1);
  return is_last(next);
}

bool fd_mutex::commit_sleep(goroutine*, void* self) noexcept WEFT_UNCHECKED {
  static_cast<fd_mutex*>(self)->queue_lock_.unlock();
  return true;
}

void fd_mutex::sleep(fd_side side) noexcept WEFT_UNCHECKED {
  section s(may_park);
  queue_lock_.lock();
  uint32_t& tokens = tokens_[static_cast<size_t>(side)];
  if (tokens != 0) {
    --tokens;
    queue_lock_.unlock();
    return;
  }
  waiter*& last = last_[static_cast<size_t>(side)];
  waiter me{current(), &me};
  if (last != nullptr) {
    me.next = last->next;
    last->next = &me;
  }
  last = &me;
  park(commit_sleep, this, wait_reason::io_wait, this);
}

void fd_mutex::wake(fd_side side, uint64_t count) noexcept WEFT_UNCHECKED {
  section s;
  for (; count != 0; --count) {
    queue_lock_.lock();
    waiter*& last = last_[static_cast<size_t>(side)];
    goroutine* gp = nullptr;
    if (last == nullptr) {
      ++tokens_[static_cast<size_t>(side)];
    } else {
      waiter* first = last->next;
      gp = first->gp;
      if (first == last)
        last = nullptr;
      else
        last->next = first->next;
    }
    queue_lock_.unlock();
    if (gp != nullptr) ready(gp);  // from here on it has left, and its waiter with it
  }
}

}  // namespace weft::rt
