// SPDX-License-Identifier: Apache-2.0
// wait_group: waits until a number of goroutines have finished.
//
//   weft::wait_group workers;
//   workers.go([&] { ... });
//   workers.wait();
//
// add(n) from zero must happen before wait(). Reusable once every wait() has returned. It must live
// until the last done(), and until wait() has returned wherever it was called; then it may go, also
// while that last done() is still returning on another thread.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft {

class WEFT_API wait_group {
 public:
  constexpr wait_group() noexcept = default;
  wait_group(const wait_group&) WEFT_DELETED("weft: a wait_group is not copied: refer to it");
  wait_group& operator=(const wait_group&) = delete;

  /// Changes the counter. Panics `sync: negative WaitGroup counter` below zero, and when it finds
  /// itself racing with wait(). Never parks.
  void add(int delta);
  /// add(-1).
  void done() { add(-1); }
  /// Parks until the counter is zero. What happened before the done() calls has happened then.
  void wait();
  /// add(1), and a goroutine that runs `f` and then done(). An exception that leaves `f` ends the
  /// process, as with weft::go.
  template <class F>
  void go(F&& f) {
    go(go_options{}, std::forward<F>(f));
  }
  template <class F>
  void go(const go_options& options, F&& f) {
    WEFT_CHECK_FUNCTION(wait_group::go(f), std::decay_t<F>);
    if constexpr (std::is_invocable_v<std::decay_t<F>&>) {
      auto body = [this, f = std::decay_t<F>(std::forward<F>(f))]() mutable {
        f();
        done();
      };
      add(1);
      try {
        weft::go(options, std::move(body));
      } catch (...) {  // no stack left: nobody will call done()
        done();
        throw;
      }
    }
  }

 private:
  // The counter in the upper half, waiters in the lower.
  static constexpr uint64_t one = uint64_t{1} << 32;
  static int32_t counter_of(uint64_t state) noexcept { return static_cast<int32_t>(state >> 32); }
  static uint32_t waiters_of(uint64_t state) noexcept { return static_cast<uint32_t>(state); }
  void wake_waiters(uint64_t seen);
  void race_note(bool read, void* call_pc) noexcept;

  rt::atomic<uint64_t> state_{0};
  rt::futex_mutex lock_{rt::lock_rank::sync};
  rt::wait_queue queue_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft
