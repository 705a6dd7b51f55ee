// SPDX-License-Identifier: Apache-2.0
// The strategies of deterministic mode. What each is good at stands in sim.hpp; measured, in
// docs/guide/testing-with-sim.md.
//
// pct and delay_bounded are unfair: a goroutine that waits in a loop of steps (try_lock until it
// works) could keep the one it waits for from running for ever. round_robin can fall into a beat:
// somebody comes for a lock whenever another one just holds it. So under pct a yield sinks below
// all others, and a run that is several times as long as expected goes on uniformly: what is a
// livelock even then is reported as one.
#include "weft/sched/internal/sim_strategy.hpp"

#include <algorithm>
#include <utility>

namespace weft::rt {

namespace {

using sim::strategy;

/// Of 16 seeds: 8 uniform, 4 pct, 3 delay-bounded, 1 round robin. Uniform comes first: seed 0
/// measures the length of a run for the others.
constexpr strategy mix[16] = {
    strategy::uniform, strategy::pct, strategy::uniform, strategy::delay_bounded,
    strategy::uniform, strategy::pct, strategy::uniform, strategy::round_robin,
    strategy::uniform, strategy::pct, strategy::uniform, strategy::delay_bounded,
    strategy::uniform, strategy::pct, strategy::uniform, strategy::delay_bounded,
};

// The paper's d; what most known bugs need is at most 3 (S. Lu et al., 2008).
constexpr uint32_t depth_max = 5;
// Steps per turn. Larger: turns become runs to the end of most tests.
constexpr uint32_t quantum_max = 8;
// Lengths that are drawn when none is known: 16 to 4096, each doubling as likely.
constexpr uint64_t length_least = 16;
constexpr uint32_t length_doublings = 9;
// Priorities: goroutines start above fresh_priority, are lowered to between the two, and yield to
// below lowered_priority.
constexpr uint64_t fresh_priority = uint64_t{1} << 63;
constexpr uint64_t lowered_priority = uint64_t{1} << 62;

}  // namespace

namespace {
strategy resolve(const sim::options& how) noexcept {
  return how.strategy == strategy::mixed ? mix[how.seed % std::size(mix)] : how.strategy;
}
bool is_unfair(strategy which) noexcept {
  return which == strategy::pct || which == strategy::delay_bounded;
}
}  // namespace

bool sim_chooser::needs_length(const sim::options& how) noexcept { return is_unfair(resolve(how)); }

uint64_t sim_scramble(uint64_t seed) noexcept {
  uint64_t z = seed + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void sim_chooser::begin(const sim::options& how) {
  how_ = how;
  random_.state = sim_scramble(how.seed);
  digest_ = 0xcbf29ce484222325ULL;
  runnable_.clear();
  known_.clear();
  points_.clear();
  first_ = points_used_ = 0;
  lowest_ = lowered_priority;
  how_.strategy = resolve(how);
  const uint32_t depth = 1 + draw(depth_max);
  const uint64_t length = length_least << draw(length_doublings);
  if (how_.depth == 0) how_.depth = depth;
  if (how_.length == 0) how_.length = length;
  uniform_from_ = 8 * (is_unfair(how_.strategy) ? how_.length : length) + 2000;
  if (!is_unfair(how_.strategy)) return;
  const uint32_t points = how_.depth - (how_.strategy == strategy::pct ? 1 : 0);
  for (uint32_t i = 0; i < points; ++i) points_.push_back(1 + (random_.next() >> 1) % how_.length);
  std::sort(points_.begin(), points_.end());
}

void sim_chooser::add(goroutine* gp) {
  if (gp->id > known_.size()) {
    known made{gp, random_.next() | fresh_priority, 1 + random_.below(quantum_max), 0};
    known_.push_back(made);
  } else if (gp->reason == wait_reason::none) {
    of(gp).priority = --lowest_;  // it has yielded
  }
  runnable_.push_back(gp);
}

goroutine* sim_chooser::take(size_t index) noexcept {
  goroutine* gp = runnable_[index];
  runnable_[index] = runnable_.back();
  runnable_.pop_back();
  return gp;
}

goroutine* sim_chooser::take_first() noexcept {
  goroutine* gp = runnable_[first_++];
  // What was taken is thrown away when it is more than what is left: constant time on average.
  if (first_ * 2 > runnable_.size()) {
    runnable_.erase(runnable_.begin(), runnable_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return gp;
}

size_t sim_chooser::highest() noexcept {
  size_t best = first_;
  for (size_t i = first_ + 1; i < runnable_.size(); ++i)
    if (of(runnable_[i]).priority > of(runnable_[best]).priority) best = i;
  return best;
}

/// True once for each point that `step` has reached.
bool sim_chooser::reached(uint64_t step) noexcept {
  if (points_used_ == points_.size() || points_[points_used_] > step) return false;
  ++points_used_;
  return true;
}

sim::strategy sim_chooser::strategy_at(uint64_t step) const noexcept {
  return step > uniform_from_ ? strategy::uniform : how_.strategy;
}

goroutine* sim_chooser::pick(uint64_t step) noexcept {
  goroutine* gp = nullptr;
  const auto count = static_cast<uint32_t>(runnable_.size() - first_);
  switch (strategy_at(step)) {
    case strategy::pct:
      gp = take(highest());
      break;
    case strategy::delay_bounded:
      if (reached(step)) runnable_.push_back(take_first());
      gp = take_first();
      break;
    case strategy::round_robin:
      gp = take_first();
      of(gp).left = of(gp).quantum;
      break;
    default:
      gp = take(first_ + (count < 2 ? 0 : random_.below(count)));
  }
  note(gp->id);
  return gp;
}

goroutine* sim_chooser::preempt(goroutine* current, uint64_t step) noexcept {
  goroutine* gp = nullptr;
  switch (strategy_at(step)) {
    case strategy::pct: {
      // Between each other, lowered goroutines have any order: the points are not sorted so.
      while (reached(step)) of(current).priority = random_.next() >> 2 | lowered_priority;
      const size_t best = highest();
      if (of(runnable_[best]).priority > of(current).priority) gp = take(best);
      break;
    }
    case strategy::delay_bounded:
      if (reached(step)) gp = take_first();
      break;
    case strategy::round_robin:
      if (of(current).left > 1) {
        --of(current).left;
        break;
      }
      gp = take_first();
      of(gp).left = of(gp).quantum;
      break;
    default: {
      const auto count = static_cast<uint32_t>(runnable_.size() - first_);
      if (const uint32_t chosen = random_.below(count + 1); chosen != 0)
        gp = take(first_ + chosen - 1);
    }
  }
  note(gp == nullptr ? 0 : gp->id);
  return gp;
}

}  // namespace weft::rt
