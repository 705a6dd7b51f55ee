// SPDX-License-Identifier: Apache-2.0
// Execution traces in Go's format: `go tool trace` opens them. What goroutines, Ps and threads do,
// event by event, and what the program says of itself: tasks, regions, logs.
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/observe/prof.hpp"
#include "weft/sync/context.hpp"

namespace weft::trace {

/// Takes a trace's bytes, in order: from a goroutine of the tracer, and from stop().
using sink = prof::sink;

/// Begins to trace; whole generations go to `to` about once a second, or as soon as their events
/// take 32 MB. What `to` refers to must live until stop() has returned. A trace that is on when
/// weft::run's function returns is cut off there. From a goroutine. Fails with already_tracing,
/// with what the sink says of the header, or when weft::run is ending. Stops the world for a moment
/// (some 50 ns a goroutine) at the beginning of each generation.
WEFT_API result<void> start(sink to);
/// Ends it: the last generation is written when this returns. Returns the sink's first error, after
/// which nothing was written any more; lost_events is one. From a goroutine. Fails with
/// not_tracing.
WEFT_API result<void> stop();
/// Whether events are recorded: for a trace, or for the flight recorder.
[[nodiscard]] WEFT_API bool enabled() noexcept;
WEFT_API extern const error already_tracing;
WEFT_API extern const error not_tracing;
/// There was no memory for events. Generations are whole or not written at all.
WEFT_API extern const error lost_events;

/// A piece of work that goroutines do together, such as a request. It goes with the context;
/// regions and logs with that context belong to it. Costs a context also when nobody traces.
class WEFT_API task {
 public:
  /// A subtask if `parent` is a task's context.
  task(const context& parent, std::string_view name);
  ~task() { end(); }
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  [[nodiscard]] const context& ctx() const noexcept { return ctx_; }
  /// It has taken until now. Once.
  void end() noexcept;

 private:
  context ctx_;
  uint64_t id_;
};

/// A piece of a goroutine's time, until the end of the scope: on the goroutine that began it,
/// innermost first. A load and a branch when nobody traces.
class WEFT_API region {
 public:
  explicit region(std::string_view name) noexcept;
  /// Of the context's task.
  region(const context& ctx, std::string_view name) noexcept;
  ~region();
  region(const region&) = delete;
  region& operator=(const region&) = delete;

 private:
  uint64_t task_ = 0;
  uint64_t name_ = 0;  // 0: began while nobody traced
};

/// A message of the goroutine, of the context's task. A load and a branch when nobody traces.
WEFT_API void log(const context& ctx, std::string_view key, std::string_view value) noexcept;

}  // namespace weft::trace
