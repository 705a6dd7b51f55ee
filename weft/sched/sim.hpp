// SPDX-License-Identifier: Apache-2.0
// Deterministic mode: a test's goroutines on one P, with the schedule chosen by a seed and a
// virtual clock. The same seed gives the same run, always.
//
//   weft::sim::explore(1000, [] { ... });                      seeds 0 to 999, strategies in turn
//   weft::sim::explore({.seeds = 1000, .faults = weft::sim::all_faults}, [] { ... });
//   weft::sim::run({.seed = 7, .strategy = weft::sim::strategy::pct}, [] { ... });
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "weft/base/callable.hpp"
#include "weft/base/export.hpp"

namespace weft::sim {

/// How the next goroutine is chosen, at each runtime call and whenever one stops.
enum class strategy : uint8_t {
  /// By the seed: one of the four below. Half of the seeds are uniform (0 is), a quarter pct.
  mixed,
  /// Any of the runnable, each as likely. Good at bugs that many schedules show.
  uniform,
  /// Random priorities, lowered at depth - 1 random steps (Burckhardt et al., "A randomized
  /// scheduler with probabilistic guarantees of finding bugs", 2010): a bug that needs `depth`
  /// ordered steps among n goroutines of k steps shows with probability 1 / (n * k^(depth-1)) or
  /// more. Good at starvation and at bugs deep in long runs.
  pct,
  /// Goroutines run until they block, in the order in which they became runnable, but for `depth`
  /// random steps at which one is put behind the others (Emmi et al., "Delay-bounded scheduling",
  /// 2011). Good at bugs of few preemptions, and its schedules are the easiest to read.
  delay_bounded,
  /// In turn, a few steps each; how many is drawn for each goroutine. Finds what needs many
  /// switches at short distances.
  round_robin,
};
[[nodiscard]] WEFT_API const char* strategy_name(strategy which) noexcept;

/// Failures that the seed may put in. Each kind strikes at a rate that is drawn for the run, so
/// that some runs see it often, some rarely, some never.
struct faults {
  /// Waiting for readiness ends although there is nothing to read or no room to write (net::pipe).
  bool spurious_readiness = false;
  /// Reads return less than there is, writes go out in pieces (net::pipe).
  bool short_io = false;
  /// Timers of the same moment fire in any order, and goroutines may run between two of them.
  bool timer_ties = false;
  /// make_chan, go, spawn, contexts, timers and groups throw std::bad_alloc.
  bool allocation = false;
};
inline constexpr faults all_faults{
    .spurious_readiness = true, .short_io = true, .timer_ties = true, .allocation = true};
/// All but failing allocations, which few tests are written to survive.
inline constexpr faults harmless_faults{
    .spurious_readiness = true, .short_io = true, .timer_ties = true};

/// How to run. The defaults are those of run(seed, f) and explore(n, f).
struct options {
  /// The first seed, for explore().
  uint64_t seed = 0;
  /// How many, for explore().
  uint64_t seeds = 1000;
  sim::strategy strategy = sim::strategy::mixed;
  /// pct, delay_bounded: how many steps must be ordered. 0: drawn from the seed, 1 to 5.
  uint32_t depth = 0;
  /// pct, delay_bounded: how many steps a run has, about. 0: explore() measures it with one run of
  /// seed 0, run() draws it from the seed.
  uint64_t length = 0;
  sim::faults faults{};
  /// A run of more steps fails with "livelock". Larger: endless loops are noticed later.
  uint64_t steps_max = 1'000'000;
};

/// Thrown by run() and explore() when a schedule fails: a deadlock, a livelock, or an exception
/// that left a goroutine. what() says which seed and why, what each goroutine was doing, by which
/// strategy it ran, and the last decisions.
class WEFT_API failure : public std::runtime_error {
 public:
  failure(uint64_t seed, const std::string& why);
  [[nodiscard]] uint64_t seed() const noexcept { return seed_; }

 private:
  uint64_t seed_;
};

/// Runs `f` as the root goroutine of a world of its own, until it and every goroutine it started
/// have ended. Choices (who runs next, select's order, random numbers of the runtime, faults) come
/// from the seed; every runtime call may switch to another goroutine; time stands still while
/// anybody can run and then jumps to the next timer. It starts at 2000-01-01 00:00 UTC, as in Go's
/// synctest.
///
/// Throws failure: "deadlock: all goroutines in bubble are blocked", "deadlock: main bubble
/// goroutine has exited but blocked goroutines remain", "livelock: ...", or the text of an
/// exception that left a goroutine. Goroutines of a failed world are abandoned: their destructors
/// do not run. Panics when called from a goroutine or while weft::run is active: one world at a
/// time.
WEFT_API void run(uint64_t seed, rt::callable_ref f);
WEFT_API void run(const options& how, rt::callable_ref f);

/// Runs seeds 0..n-1, or `how.seeds` seeds from `how.seed` on. On failure prints
/// "weft::sim: seed N failed; replay with WEFT_SEED=N" to stderr and throws the failure.
///
/// The environment: WEFT_SEED=N runs that seed only, and tells at each decision where the
/// goroutine was. WEFT_SIM_SEEDS=M makes it M times as many seeds. WEFT_SIM_SHARD=I/N runs every
/// N-th of them, from the I-th on, I counting from 0: so N processes share the work.
WEFT_API void explore(uint64_t n, rt::callable_ref f);
WEFT_API void explore(const options& how, rt::callable_ref f);

/// Returns when every other goroutine of the world is durably blocked (Go's synctest.Wait).
WEFT_API void wait();

/// For a test's own choices: a number below `count`, as the seed says; 0 outside of a world.
[[nodiscard]] WEFT_API uint32_t pick(uint32_t count) noexcept;
/// For a test's own faults: true once in about `one_in` calls, as the seed says; false outside of a
/// world.
[[nodiscard]] WEFT_API bool chance(uint32_t one_in) noexcept;

/// A digest of all choices of the last run(): equal seeds give equal digests.
[[nodiscard]] WEFT_API uint64_t last_digest() noexcept;
/// Steps of the last run(): places at which another goroutine could have been chosen.
[[nodiscard]] WEFT_API uint64_t last_steps() noexcept;
/// Runs that this process has made.
[[nodiscard]] WEFT_API uint64_t runs() noexcept;

}  // namespace weft::sim
