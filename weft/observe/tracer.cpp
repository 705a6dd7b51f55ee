// SPDX-License-Identifier: Apache-2.0
// Ending a generation a second, and handing it to whoever listens.
#include "weft/observe/internal/tracer.hpp"

#include <algorithm>
#include <mutex>
#include <new>

#include "weft/base/os/os.hpp"
#include "weft/observe/internal/trace_file.hpp"
#include "weft/observe/internal/trace_strings.hpp"
#include "weft/sched/internal/debug_door.hpp"
#include "weft/sched/internal/quiet_clock.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::trace {

const error run_is_ending("trace: weft::run is about to return");

namespace {

// As Go's. Longer keeps more in memory and loses more of a process that dies; shorter repeats the
// tables and the statuses of all goroutines more often.
constexpr int64_t generation_ns = 1'000'000'000;
// How often the writer looks whether a generation has become large: sooner where events come fast,
// up to 100 MB a second of two Ps, so that it is hardly half as large again as it should be.
constexpr int64_t look_ns_max = 100'000'000;
constexpr int64_t look_ns_min = 5'000'000;
// Events beyond this end a generation early: they are memory until they are written.
constexpr size_t generation_bytes_max = size_t{32} << 20;

// What the writer cannot keep up with, because it reads debug information for the first time or a
// sink is slow, may be so many times what a generation should have. Then the program's memory is
// worth more than the trace.
constexpr size_t backlog_max = 6;

const error no_memory("trace: no address space for 128 MiB of goroutines' states (ulimit -v?)");
const error no_writer("trace: no thread or stack for the goroutine that writes (ulimit -u?)");

/// In sight of one who dies until it has been taken.
struct generation_owner {
  rt::trace_generation of;
  void show() noexcept { generation_in_work.store(&of, rt::seq_cst); }
  ~generation_owner() {
    generation_in_work.store(nullptr, rt::seq_cst);
    if (process_is_dying.load(rt::seq_cst) != 0) return;
    // 0: there was none before. That has no values, and its list is another one's already.
    if (of.number == 0) return;
    rt::trace_free(of.batches);
    rt::drop_trace_values(of.number);
  }
};

}  // namespace

rt::atomic<uint32_t> process_is_dying{0};
rt::atomic<const rt::trace_generation*> generation_in_work{nullptr};

tracer& the_tracer() {
  static auto* made = new tracer;
  return *made;
}

bool tracer::step(rt::trace_step how) {
  const size_t wanted = bytes_wanted();
  rt::trace_limit(wanted, backlog_max * wanted);
  generation_owner owner;
  rt::trace_generation& ended = owner.of;
  bool advanced = false;
  {
    const rt::section entered(rt::may_park);
    advanced = rt::trace_advance(how, ended);
  }
  if (!advanced) return false;
  owner.show();
  begun_ns_ = rt::os::monotonic_ns();
  if (ended.number == 0) return true;
  std::shared_ptr<const generation> bytes;
  if (ended.lost == 0) {
    // Without a P: one among thousands that are ready would wait for a turn each ten milliseconds,
    // while the next generation grows.
    const rt::blocking_scope announced;
    try {
      bytes = std::make_shared<const generation>(
          generation{ended.number, rt::trace_generation_bytes(ended), ended.mono_ns});
    } catch (const std::bad_alloc&) {
      // Told below.
    }
  }
  for (listener* to : listeners_) {
    if (bytes != nullptr)
      to->take(bytes);
    else
      to->lost();
  }
  return true;
}

void run_tracer(void* self) { static_cast<tracer*>(self)->write_now_and_then(); }

size_t tracer::bytes_wanted() const noexcept {
  size_t most = generation_bytes_max;
  for (const listener* to : listeners_)
    if (to->bytes_wanted() != 0) most = std::min(most, to->bytes_wanted());
  return most;
}

void tracer::write_now_and_then() {
  int64_t look_ns = look_ns_min;
  while (stopping_.load(rt::acquire) == 0) {
    rt::quiet_sleep(look_ns);
    const std::lock_guard<mutex> held(step_lock_);
    look();
    if (stopping_.load(rt::acquire) != 0) break;
    const int64_t passed = std::max<int64_t>(1, rt::os::monotonic_ns() - begun_ns_);
    const size_t bytes = rt::trace_bytes_now();
    const size_t wanted = bytes_wanted();
    rt::trace_limit(wanted, backlog_max * wanted);
    if (passed >= generation_ns || bytes > wanted) (void)step(rt::trace_step::next);
    // As long as half of what is wanted takes at this rate.
    const double half_ns = static_cast<double>(wanted) / 2 * static_cast<double>(passed) /
                           static_cast<double>(std::max<size_t>(1, bytes));
    look_ns =
        half_ns < look_ns_max ? std::max(look_ns_min, static_cast<int64_t>(half_ns)) : look_ns_max;
  }
  writer_ended_.close();
}

void tracer::look() {
  const int64_t now = rt::os::monotonic_ns();
  for (listener* to : listeners_) to->look(now);
}

bool tracer::start_writer() {
  stopping_.store(0, rt::relaxed);
  writer_ended_ = make_chan<std::monostate>();
  return rt::quiet_clock_ready() &&
         rt::try_start_system_goroutine(run_tracer, this, "tracer") == nullptr;
}

void tracer::stop_writer() {
  stopping_.store(1, rt::release);
  rt::quiet_wake();
  (void)writer_ended_.recv();
}

result<void> tracer::add(listener& to) {
  const std::lock_guard<mutex> held(lock_);
  if (run_is_ending_) return fail(run_is_ending);
  if (!rt::trace_prepare()) return fail(no_memory);
  const bool first = listeners_.empty();
  {
    const std::lock_guard<mutex> stepping(step_lock_);
    if (!step(first ? rt::trace_step::first : rt::trace_step::next)) return fail(run_is_ending);
    listeners_.push_back(&to);
  }
  if (!first || start_writer()) return {};
  const std::lock_guard<mutex> stepping(step_lock_);
  listeners_.clear();
  if (!step(rt::trace_step::last)) rt::trace_abandon();
  return fail(no_writer);
}

bool tracer::remove(listener& from) {
  const std::lock_guard<mutex> held(lock_);
  const bool last = listeners_.size() == 1;
  if (last) stop_writer();
  const std::lock_guard<mutex> stepping(step_lock_);
  const bool stepped = step(last ? rt::trace_step::last : rt::trace_step::next);
  if (!stepped && last) rt::trace_abandon();
  std::erase(listeners_, &from);
  return stepped;
}

void tracer::run_begins() {
  const std::lock_guard<mutex> held(lock_);
  run_is_ending_ = false;
}

void tracer::run_ends() {
  const std::lock_guard<mutex> held(lock_);
  run_is_ending_ = true;
}

bool tracer::cut() {
  const std::lock_guard<mutex> stepping(step_lock_);
  // Stopped meanwhile: a step would begin a recording that nobody ends.
  return !listeners_.empty() && step(rt::trace_step::next);
}

}  // namespace weft::trace
