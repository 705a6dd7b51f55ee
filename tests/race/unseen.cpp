// SPDX-License-Identifier: Apache-2.0
// Not instrumented: what happens here orders nothing in ThreadSanitizer's eyes.
#include <sched.h>

#include "cases.hpp"

namespace unseen {

void flag::set() { __atomic_store_n(&word_, 1, __ATOMIC_RELEASE); }

void flag::wait() {
  // Not yielding for long: ThreadSanitizer remembers a goroutine's latest steps only, a switch is a
  // few of them, and without the stack of the other access it says nothing.
  for (int i = 0; __atomic_load_n(&word_, __ATOMIC_ACQUIRE) == 0; ++i) {
    if (i < 100)
      weft::yield();
    else
      weft::sleep_for(std::chrono::microseconds(200));
  }
}

void flag::wait_on_thread() {
  while (__atomic_load_n(&word_, __ATOMIC_ACQUIRE) == 0) sched_yield();
}

}  // namespace unseen
