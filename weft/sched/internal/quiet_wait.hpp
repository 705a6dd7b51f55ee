// SPDX-License-Identifier: Apache-2.0
// Waiting for a descriptor without being a reason for the process to live: for listeners of the
// runtime's own, which nobody may ever call.
#pragma once

#include "weft/base/export.hpp"
#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

/// One goroutine that waits. It is in no netpoll, where it would count as somebody whom the network
/// may wake: a thread of its own polls for it, and the deadlock check knows that thread. One of
/// these waits at a time in a process.
class WEFT_API quiet_watch {
 public:
  quiet_watch() = default;
  quiet_watch(const quiet_watch&) = delete;
  quiet_watch& operator=(const quiet_watch&) = delete;

  /// Parks until `fd` can be read (or accepted from). False: cancelled, or there is no thread to be
  /// had. `fd` stays open until this has returned or cancel() was called.
  [[nodiscard]] bool wait(int fd) noexcept;
  /// Ends a wait, and all later ones. Does not park.
  void cancel() noexcept;

 private:
  friend struct quiet_poller;
  // Under the poller's lock.
  int fd_ = -1;
  goroutine* waiter_ = nullptr;
  bool cancelled_ = false;
};

}  // namespace weft::rt
