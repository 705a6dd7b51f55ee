// SPDX-License-Identifier: Apache-2.0
// What every primitive does to wait and to wake: park under a runtime lock, hand a sudog back.
#pragma once

#include "weft/base/futex_mutex.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft::rt {

/// park_commit: the waiter is queued and its registers are saved, so its queue may be unlocked.
inline bool unlock_commit(goroutine*, void* lock) noexcept WEFT_UNCHECKED {
  static_cast<futex_mutex*>(lock)->unlock();
  return true;
}

/// Parks the current goroutine, which is queued under `lock`; `lock` is free afterwards. Needs a
/// section(may_park).
inline void park_unlock(futex_mutex& lock, wait_reason why,
                        const void* on) noexcept WEFT_UNCHECKED {
  park(unlock_commit, &lock, why, on);
}

/// Wakes a waiter that was dequeued. No lock needs to be held; *sg is gone afterwards.
inline void wake(sudog* sg, bool success) noexcept {
  goroutine* gp = sg->g;
  sg->success = success;
  gp->top->wake_value = sg;
  ready(gp);
}

/// Waits for ever. Needs a section(may_park); on a foreign thread the thread sleeps for ever.
[[noreturn]] inline void park_forever(wait_reason why) noexcept {
  for (;;) park([](goroutine*, void*) noexcept { return true; }, nullptr, why, nullptr);
}

}  // namespace weft::rt
