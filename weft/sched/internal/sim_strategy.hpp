// SPDX-License-Identifier: Apache-2.0
// Who goes on, in deterministic mode: the runnable goroutines and the strategies that choose from
// them. sim.cpp owns the one chooser and asks it at every step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weft/base/random.hpp"
#include "weft/sched/internal/goroutine.hpp"
#include "weft/sched/sim.hpp"

namespace weft::rt {

class sim_chooser {
 public:
  /// A run begins. Everything that `how` leaves open is drawn from its seed, in the same order
  /// whatever it says: so a run can be repeated with what was drawn written out.
  void begin(const sim::options& how);

  /// Whether such a run depends on `how.length`.
  [[nodiscard]] static bool needs_length(const sim::options& how) noexcept;

  /// It became runnable. Goroutines have the ids 1, 2, ... in the order of their creation.
  void add(goroutine* gp);
  [[nodiscard]] bool empty() const noexcept { return first_ == runnable_.size(); }
  /// Nobody runs: who is next? Not for an empty chooser.
  [[nodiscard]] goroutine* pick(uint64_t step) noexcept;
  /// `current` could go on: who does instead? Null: it does. Else the caller adds it again.
  [[nodiscard]] goroutine* preempt(goroutine* current, uint64_t step) noexcept;

  /// A number below `bound`, from the seed, noted in the digest.
  [[nodiscard]] uint32_t draw(uint32_t bound) noexcept {
    const uint32_t number = random_.below(bound);
    note(number);
    return number;
  }
  [[nodiscard]] uint64_t digest() const noexcept { return digest_; }
  /// What begin() decided on: strategy, depth and length are set.
  [[nodiscard]] const sim::options& how() const noexcept { return how_; }

  /// All goroutines of the run; number 0 has the id 1. A cell that has ended may be another's.
  [[nodiscard]] size_t started() const noexcept { return known_.size(); }
  [[nodiscard]] goroutine* cell(size_t number) const noexcept { return known_[number].gp; }

 private:
  struct known {
    goroutine* gp;
    uint64_t priority;  // pct; the highest runs
    uint32_t quantum;   // round robin: steps per turn
    uint32_t left;      // of this turn
  };
  known& of(const goroutine* gp) noexcept { return known_[gp->id - 1]; }
  void note(uint64_t what) noexcept { digest_ = (digest_ ^ (what + 1)) * 0x100000001b3ULL; }
  goroutine* take(size_t index) noexcept;
  goroutine* take_first() noexcept;
  [[nodiscard]] size_t highest() noexcept;
  [[nodiscard]] bool reached(uint64_t step) noexcept;
  [[nodiscard]] sim::strategy strategy_at(uint64_t step) const noexcept;

  sim::options how_;
  random_source random_;
  uint64_t digest_ = 0;
  /// Runnable goroutines, from first_ on, in the order in which they became so (but uniform and
  /// pct, which do not look at the order, fill gaps from the end).
  std::vector<goroutine*> runnable_;
  size_t first_ = 0;
  std::vector<known> known_;
  /// Steps at which pct lowers a priority and delay_bounded delays; from points_used_ on to come.
  std::vector<uint64_t> points_;
  size_t points_used_ = 0;
  uint64_t lowest_ = 0;        // pct: the next goroutine that yields gets it, and it sinks
  uint64_t uniform_from_ = 0;  // a step
};

/// G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014).
[[nodiscard]] uint64_t sim_scramble(uint64_t seed) noexcept;

}  // namespace weft::rt
