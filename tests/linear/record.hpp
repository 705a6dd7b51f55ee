// SPDX-License-Identifier: Apache-2.0
// Recording histories: operations of a few workers with their moments, in deterministic mode and on
// two Ps with the real clock.
#pragma once

#include <gtest/gtest.h>
#include <weft/weft.hpp>

#include <atomic>
#include <cstdio>
#include <functional>

#include "checker.hpp"

namespace linear {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(WEFT_DEBUG_BUILD)
inline constexpr uint64_t sim_seeds = 500;
inline constexpr uint32_t thread_rounds = 100;
#else
inline constexpr uint64_t sim_seeds = 4000;
inline constexpr uint32_t thread_rounds = 500;
#endif

/// Operations of a few workers, each with its moments on a clock that all share.
template <class Op>
class recorder {
 public:
  explicit recorder(size_t workers) : of_(workers) {}

  /// Calls `f`, which fills in what the operation answered.
  template <class F>
  void operator()(size_t worker, Op op, F&& f) {
    const uint64_t called = clock_.fetch_add(1);
    f(op);
    of_[worker].push_back({called, clock_.fetch_add(1), op});
  }
  /// The same in two parts, for operations that are none if they find nothing.
  [[nodiscard]] uint64_t now() { return clock_.fetch_add(1); }
  void add(size_t worker, uint64_t called, Op op) {
    of_[worker].push_back({called, clock_.fetch_add(1), op});
  }
  [[nodiscard]] history<Op> all() const {
    history<Op> out;
    for (const history<Op>& part : of_) out.insert(out.end(), part.begin(), part.end());
    return out;
  }

 private:
  std::atomic<uint64_t> clock_{0};
  std::vector<history<Op>> of_;
};

inline void demand(bool linearizable) {
  if (!linearizable) weft::panic("the history is not linearizable");
}

/// They begin together, so that on two Ps they meet.
template <class F>
void with_workers(size_t workers, F&& f) {
  std::atomic<size_t> arrived{0};
  weft::wait_group all;
  for (size_t w = 0; w < workers; ++w)
    all.go([&, w] {
      ++arrived;
      while (arrived < workers) weft::yield();
      f(w);
    });
  all.wait();
}

/// Operations during which others began or ended, of all that were recorded.
inline size_t overlapping = 0;
inline size_t recorded = 0;
template <class Op>
void count_overlaps(const history<Op>& ops) {
  for (const timed<Op>& one : ops) overlapping += one.returned != one.called + 1 ? 1 : 0;
  recorded += ops.size();
}

// --- where they run ---

/// Says how much the histories had to say: where nothing overlaps, anything is linearizable.
struct overlaps {
  overlaps() { overlapping = recorded = 0; }
  ~overlaps() { std::printf("%zu operations, %zu overlapped others\n", recorded, overlapping); }
  overlaps(const overlaps&) = delete;
};

inline void in_sim(const std::function<void(uint32_t)>& check) {
  const overlaps counted;
  weft::sim::explore({.seeds = sim_seeds, .faults = weft::sim::harmless_faults},
                     [&] { check(weft::sim::pick(1u << 30)); });
  EXPECT_GT(overlapping, recorded / 20);
}

inline void on_threads(const std::function<void(uint32_t)>& check) {
  const overlaps counted;
  weft::run({.procs = 2}, [&] {
    for (uint32_t round = 0; round < thread_rounds; ++round) check(round * 16);
  });
}

}  // namespace linear
