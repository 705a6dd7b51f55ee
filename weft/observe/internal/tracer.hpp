// SPDX-License-Identifier: Apache-2.0
// The one recording of a process, and who listens to it: a trace, the flight recorder, the file of
// a whole run. Each is handed whole generations.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/observe/trace.hpp"
#include "weft/sched/internal/trace.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::trace {

struct generation {
  uint32_t number = 0;
  std::string bytes;
  int64_t ended_ns = 0;  // monotonic
};

/// Called by one goroutine at a time, which may park.
class listener {
 public:
  listener() = default;
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  virtual void take(const std::shared_ptr<const generation>& ended) = 0;
  /// A generation is missing: there was no memory for it.
  virtual void lost() noexcept = 0;
  /// Some ten times a second, whether a generation ends or not.
  virtual void look(int64_t) {}
  /// A generation ends early when its events take more than this; 0: no matter.
  [[nodiscard]] virtual size_t bytes_wanted() const noexcept { return 0; }

 protected:
  ~listener() = default;
};

class tracer {
 public:
  /// `to` gets the generations from now on. Fails when weft::run is ending, or without a thread.
  result<void> add(listener& to);
  /// Hands over what there is until now, and no more. False: weft::run is ending, what was not
  /// finished is dropped.
  bool remove(listener& from);
  /// Hands over what there is until now. False: as above, or nobody listens.
  bool cut();

  /// A weft::run has begun, or is about to end: then nobody is added any more.
  void run_begins();
  void run_ends();

 private:
  [[nodiscard]] bool step(rt::trace_step step);
  friend void run_tracer(void* self);
  [[nodiscard]] bool start_writer();
  void stop_writer();
  void write_now_and_then();
  void look();
  [[nodiscard]] size_t bytes_wanted() const noexcept;

  mutex lock_;       // who listens
  mutex step_lock_;  // one step at a time; the list, too
  std::vector<listener*> listeners_;
  int64_t begun_ns_ = 0;  // the generation
  rt::atomic<uint32_t> stopping_{0};
  bool run_is_ending_ = false;
  chan<std::monostate> writer_ended_;
};

tracer& the_tracer();
/// Set by one who dies and writes a trace: from then on nothing is freed that it may be reading.
/// Whoever frees has taken it out of sight before, both seq_cst: either the dying one does not find
/// it, or the other one finds it dying.
extern rt::atomic<uint32_t> process_is_dying;
/// A generation that has ended and that nobody has taken yet.
extern rt::atomic<const rt::trace_generation*> generation_in_work;
extern const error run_is_ending;
/// Ends a trace that weft::run's function has left on: its sink gets nothing more.
void drop_trace();

}  // namespace weft::trace
