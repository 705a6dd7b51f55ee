// SPDX-License-Identifier: Apache-2.0
// One timer: an intrusive node in the heap of some P. Owners embed it.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt {

struct processor;
struct timer_heap;

struct timer_node {
  /// Runs on a scheduler stack inside a section when the time has come: short, never parks, never
  /// runs user code, may call ready() and start_goroutine(). The heap's lock is not held; the node
  /// is no longer in a heap (unless it has a period) and may be armed again from here.
  void (*fire)(timer_node* self, int64_t now_ns) noexcept = nullptr;
  /// For the owner.
  void* argument = nullptr;
  /// When, on now_ns()'s clock. Written under the heap's lock.
  int64_t when_ns = 0;
  /// > 0: armed again at when + k * period after each firing, missed periods skipped.
  int64_t period_ns = 0;
  /// Bumped by arm and disarm; `fire` implementations may compare it. Under the heap's lock.
  uint32_t sequence = 0;
  /// Position in the heap, or -1. Under the heap's lock.
  int32_t index = -1;
  /// The heap that holds or held it last; null: never armed. Changed under that heap's lock.
  atomic<timer_heap*> heap{nullptr};
};

/// Arms a node that is not armed. Needs a section. O(log n).
void arm(timer_node& node, int64_t when_ns, int64_t period_ns = 0) noexcept;
/// Takes the node out of its heap. true: it was armed and `fire` will not run for that arming.
/// false: not armed, or `fire` has run or is running right now. Needs a section. O(log n).
[[nodiscard]] bool disarm(timer_node& node) noexcept;
/// As disarm(), and when `fire` is running on another thread, waits (spins) until it has returned:
/// after this the node's memory may be reused. Never call it from `fire`, nor while holding a lock
/// that `fire` takes. Needs a section.
[[nodiscard]] bool disarm_wait(timer_node& node) noexcept;
/// True while its `fire` runs on some thread. Of a node that is not armed: false stays false.
[[nodiscard]] bool is_firing(const timer_node& node) noexcept;
/// disarm and arm in one step. Returns whether it was armed before.
bool rearm(timer_node& node, int64_t when_ns, int64_t period_ns = 0) noexcept;

}  // namespace weft::rt
