// SPDX-License-Identifier: Apache-2.0
// The runtime for scenarios: production's scheduler over the simulated system.
#pragma once

#include <cstdint>

#include "tests/model/checker/checker.hpp"
#include "weft/base/atomic.hpp"

namespace model {

/// As weft::run begins, without the monitor: `procs` Ps, idle. The calling thread is a guest, as
/// every thread of spawn() is that calls the runtime. Part of the setup: see setup_done().
void start_runtime(uint32_t procs);

/// A thread waits for goroutines or threads, by a futex of its own: the runtime knows nothing of
/// it, and can neither wake nor be woken by it.
class countdown {
 public:
  explicit countdown(uint32_t n) noexcept : left_(n) {}
  void done() noexcept;
  void wait() noexcept;

 private:
  weft::rt::atomic<uint32_t> left_;
};

}  // namespace model
