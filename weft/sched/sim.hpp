// SPDX-License-Identifier: Apache-2.0
// Deterministic mode: a test's goroutines on one P, with the schedule chosen by a seed and a
// virtual clock. The same seed gives the same run, always.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "weft/base/callable.hpp"
#include "weft/base/export.hpp"

namespace weft::sim {

/// Thrown by run() and explore() when a schedule fails: a deadlock, or an exception that left a
/// goroutine. what() says which seed and why, with the stacks of a deadlock's goroutines.
class WEFT_API failure : public std::runtime_error {
 public:
  failure(uint64_t seed, const std::string& why);
  [[nodiscard]] uint64_t seed() const noexcept { return seed_; }

 private:
  uint64_t seed_;
};

/// Runs `f` as the root goroutine of a world of its own, until it and every goroutine it started
/// have ended. Choices (who runs next, select's order, random numbers of the runtime) come from
/// `seed`; every runtime call may switch to another goroutine; time stands still while anybody can
/// run and then jumps to the next timer. It starts at 2000-01-01 00:00 UTC, as in Go's synctest.
///
/// Throws failure: "deadlock: all goroutines in bubble are blocked", "deadlock: main bubble
/// goroutine has exited but blocked goroutines remain", or the text of an exception that left a
/// goroutine. Goroutines of a failed world are abandoned: their destructors do not run.
/// Panics when called from a goroutine or while weft::run is active: one world at a time.
WEFT_API void run(uint64_t seed, rt::callable_ref f);

/// Runs seeds 0..n-1 (or only WEFT_SEED, if that is set). On failure prints
/// "weft::sim: seed N failed; replay with WEFT_SEED=N" to stderr and throws the failure.
WEFT_API void explore(uint64_t n, rt::callable_ref f);

/// Returns when every other goroutine of the world is durably blocked (Go's synctest.Wait).
WEFT_API void wait();

/// A digest of all choices of the last run(): equal seeds give equal digests.
[[nodiscard]] WEFT_API uint64_t last_digest() noexcept;

}  // namespace weft::sim
