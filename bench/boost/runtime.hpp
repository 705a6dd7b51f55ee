// SPDX-License-Identifier: Apache-2.0
// A Boost.Fiber process with 1 or 2 threads: round_robin on one thread, work_stealing on two.
#pragma once

#include <boost/fiber/algo/round_robin.hpp>
#include <boost/fiber/algo/work_stealing.hpp>
#include <boost/fiber/all.hpp>

#include <thread>
#include <utility>
#include <vector>

#include "bench/common/measure.hpp"
#include "weft/base/atomic.hpp"

namespace bench {

namespace fibers = boost::fibers;

/// 16 KiB stacks, pooled and unguarded: the fastest that Boost offers, as in the recorded figures.
inline constexpr std::size_t fiber_stack_bytes = 16 * 1024;

/// What a thread without a ready fiber does: polls the others at 100 % CPU, or sleeps. Boost wakes
/// no sleeping thread for a fiber made ready elsewhere, so `sleep` often leaves one thread to do
/// all (and is quicker for it). Each row uses the one that serves it better.
enum class idle_thread { polls, sleeps };

/// Runs main_fiber() as the main fiber of a group of `procs` threads. A process may do so once:
/// Boost.Fiber cannot start a second work-stealing group.
template <class F>
void run_fibers(int procs, idle_thread idle, F&& main_fiber) {
  if (procs == 1) {
    fibers::use_scheduling_algorithm<fibers::algo::round_robin>();
    main_fiber();
    return;
  }
  const auto count = static_cast<std::uint32_t>(procs);
  fibers::mutex lock;
  fibers::condition_variable_any changed;
  const bool suspend = idle == idle_thread::sleeps;
  bool ended = false;
  weft::rt::atomic<int> registered{0};
  const auto enlist = [&] {
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(count, suspend);
    registered.fetch_add(1, weft::rt::release);
    while (registered.load(weft::rt::acquire) < procs) std::this_thread::yield();
  };
  std::vector<std::thread> others;
  for (int i = 1; i < procs; ++i) {
    others.emplace_back([&] {
      enlist();
      std::unique_lock held{lock};
      changed.wait(held, [&] { return ended; });
    });
  }
  enlist();
  main_fiber();
  {
    std::unique_lock held{lock};
    ended = true;
  }
  changed.notify_all();
  for (std::thread& other : others) other.join();
}

/// A fiber on a pooled stack, queued behind the others (as `go` does).
class fiber_maker {
 public:
  template <class F>
  fibers::fiber make(F&& body) {
    return fibers::fiber(fibers::launch::post, std::allocator_arg, stacks_, std::forward<F>(body));
  }
  template <class F>
  void go(F&& body) {
    make(std::forward<F>(body)).detach();
  }

 private:
  fibers::pooled_fixedsize_stack stacks_{fiber_stack_bytes};
};

/// Counts down to zero, then wakes the fiber that waits.
class latch {
 public:
  explicit latch(int64_t count) : left_{count} {}
  void arrive() {
    if (left_.fetch_sub(1, weft::rt::acq_rel) != 1) return;
    std::unique_lock held{lock_};
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock held{lock_};
    changed_.wait(held, [&] { return open_; });
  }

 private:
  weft::rt::atomic<int64_t> left_;
  bool open_ = false;
  fibers::mutex lock_;
  fibers::condition_variable changed_;
};

}  // namespace bench
