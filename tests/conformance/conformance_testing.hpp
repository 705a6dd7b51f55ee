// SPDX-License-Identifier: Apache-2.0
// For the conformance tests: run on one P, watch a goroutine block, take a panic's text.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

#if WEFT_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace conformance {

using namespace std::chrono_literals;

/// One P: a started goroutine runs when the others park or yield, and not before.
template <class F>
void on_one_p(F f) {
  weft::run({.procs = 1}, std::move(f));
}

template <class F>
void on_four_ps(F f) {
  weft::run({.procs = 4}, std::move(f));
}

/// The message of the panic that `f` ends with; "" if it does not.
template <class F>
std::string panic_of(F&& f) {
  try {
    f();
  } catch (const weft::panic_error& e) {
    return e.what();
  }
  return "";
}

/// Runs `f` on one P in a process of its own, which must end with exit code 2 and this in its
/// report (a POSIX extended expression). A fork alone will not do: the runtime's threads are gone
/// in the child; so the program is started again, and comes here as its first test.
template <class F>
void expect_death(F f, const char* report) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(weft::run({.procs = 1}, f), testing::ExitedWithCode(2), report);
}

/// What is allocated in this scope may stay.
struct not_a_leak {
#if WEFT_ASAN
  not_a_leak() { __lsan_disable(); }
  ~not_a_leak() { __lsan_enable(); }
#else
  not_a_leak() {}
  ~not_a_leak() {}
#endif
};

/// A goroutine that can be seen to block.
class watched {
 public:
  watched() = default;
  template <class F>
  explicit watched(F f) {
    // It may block for ever, and LeakSanitizer does not look into goroutines' stacks.
    const not_a_leak scope;
    state_ = std::make_shared<state>();
    task_ = weft::spawn([s = state_, f = std::move(f)]() mutable {
      {
        const weft::rt::section in;
        s->cell.store(weft::rt::current(), weft::rt::release);
      }
      f();
      s->ended.store(1, weft::rt::release);
    });
  }
  watched(watched&&) = default;
  watched& operator=(watched&&) = default;

  /// Why it waits, once it does; "ended" if it has ended.
  std::string blocked_on() const {
    for (;;) {
      if (ended()) return "ended";
      const weft::rt::goroutine* gp = state_->cell.load(weft::rt::acquire);
      if (gp != nullptr && gp->get_status() == weft::rt::g_status::waiting)
        return weft::rt::wait_reason_text(gp->reason);
      weft::yield();
    }
  }
  bool ended() const { return state_->ended.load(weft::rt::acquire) != 0; }
  /// Waits for its end; an exception that left it comes out here.
  void join() { task_.join(); }

 private:
  struct state {
    weft::rt::atomic<weft::rt::goroutine*> cell{nullptr};
    weft::rt::atomic<uint32_t> ended{0};
  };
  std::shared_ptr<state> state_;
  weft::task<void> task_;
};

}  // namespace conformance
