// SPDX-License-Identifier: Apache-2.0
// Beginning and ending a trace, and the goroutine that takes a generation a second to the sink.
#include "weft/observe/trace.hpp"

#include <mutex>

#include "weft/observe/internal/trace_file.hpp"
#include "weft/observe/internal/trace_strings.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/internal/trace.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/select.hpp"

namespace weft::trace {

const error already_tracing("trace: tracing is already on");
const error not_tracing("trace: tracing is not on");

namespace {

// As Go's. Longer keeps more in memory and loses more of a process that dies; shorter repeats the
// tables and the statuses of all goroutines more often.
constexpr std::chrono::nanoseconds generation_time = std::chrono::seconds(1);

const error run_is_ending("trace: weft::run is about to return");

class tracer {
 public:
  result<void> start(sink to);
  result<void> stop();

 private:
  void write_each_second();
  [[nodiscard]] result<void> advance(rt::trace_step step);

  mutex lock_;       // start and stop
  mutex step_lock_;  // one step at a time
  bool on_ = false;
  sink to_{nullptr, nullptr};
  result<void> first_error_;
  chan<std::monostate> ending_;
  weft::task<void> writer_;
};

tracer& the_tracer() {
  static auto* made = new tracer;
  return *made;
}

struct batches_owner {
  rt::trace_generation& of;
  ~batches_owner() { rt::trace_free(of.batches); }
};

result<void> tracer::advance(rt::trace_step step) {
  rt::trace_generation ended;
  bool advanced = false;
  {
    const rt::section entered(rt::may_park);
    advanced = rt::trace_advance(step, ended);
  }
  if (!advanced) return fail(run_is_ending);
  const batches_owner until_written{ended};
  if (ended.number == 0 || !first_error_) return {};
  first_error_ = to_(rt::trace_generation_bytes(ended));
  return {};
}

result<void> tracer::start(sink to) {
  const std::lock_guard<mutex> held(lock_);
  if (on_) return fail(already_tracing);
  to_ = to;
  first_error_ = to_(rt::trace_header());
  if (!first_error_) return first_error_;
  if (result<void> begun = advance(rt::trace_step::first); !begun) return begun;
  on_ = true;
  ending_ = make_chan<std::monostate>();
  writer_ = spawn([this] { write_each_second(); });
  return {};
}

void tracer::write_each_second() {
  for (bool go_on = true; go_on;) {
    select(on_recv(ending_, [&](auto) { go_on = false; }), after(generation_time, [] {}));
    if (go_on) (void)advance(rt::trace_step::next);
  }
}

result<void> tracer::stop() {
  const std::lock_guard<mutex> held(lock_);
  if (!on_) return fail(not_tracing);
  ending_.close();
  writer_.join();
  if (result<void> ended = advance(rt::trace_step::last); !ended) return ended;
  on_ = false;
  return first_error_;
}

bool traced() noexcept { return (rt::probes.now() & rt::probe_trace) != 0; }

// --- users' events -------------------------------------------------------------------------------

constexpr uint64_t background_task = 0;
rt::atomic<uint64_t> next_task{1};
const context_key<uint64_t> task_key("weft.trace.task");

uint64_t task_of(const context& ctx) noexcept {
  const auto* id = ctx.value(task_key);
  return id != nullptr ? *id : background_task;
}

/// Marks names, and puts a value on its list.
struct event_texts {
  uint64_t names[2] = {};
  rt::trace_value* value = nullptr;
};

void use_texts(void* to, uint32_t generation, uint64_t*) noexcept {
  auto& texts = *static_cast<event_texts*>(to);
  for (const uint64_t name : texts.names)
    if (name != 0) rt::use_trace_name(name, generation);
  if (texts.value != nullptr) rt::use_trace_value(std::exchange(texts.value, nullptr), generation);
}

void put(rt::trace_event type, std::initializer_list<uint64_t> arguments, event_texts texts) {
  uint64_t room[8];
  size_t count = 0;
  for (const uint64_t a : arguments) room[count++] = a;
  {
    const rt::section entered(rt::may_park);
    rt::trace_user_event(type, room, count, true, use_texts, &texts);
  }
  delete texts.value;  // nobody traced any more
}

}  // namespace

result<void> start(sink to) { return the_tracer().start(to); }
result<void> stop() { return the_tracer().stop(); }
bool enabled() noexcept { return traced(); }

task::task(const context& parent, std::string_view name)
    : id_(next_task.fetch_add(1, rt::relaxed)) {
  ctx_ = with_value(parent, task_key, id_);
  if (!traced()) return;
  const uint64_t named = rt::trace_name(name);
  put(rt::trace_event::user_task_begin, {id_, task_of(parent), named}, {{named, 0}, nullptr});
}

void task::end() noexcept {
  if (id_ != 0 && traced()) put(rt::trace_event::user_task_end, {id_}, {});
  id_ = 0;
}

region::region(std::string_view name) noexcept : region(background(), name) {}

region::region(const context& ctx, std::string_view name) noexcept {
  if (!traced()) return;
  task_ = task_of(ctx);
  name_ = rt::trace_name(name);
  put(rt::trace_event::user_region_begin, {task_, name_}, {{name_, 0}, nullptr});
}

region::~region() {
  if (name_ == 0 || !traced()) return;
  put(rt::trace_event::user_region_end, {task_, name_}, {{name_, 0}, nullptr});
}

void log(const context& ctx, std::string_view key, std::string_view value) noexcept {
  if (!traced()) return;
  const uint64_t named = rt::trace_name(key);
  std::unique_ptr<rt::trace_value> text = rt::make_trace_value(value);
  const uint64_t number = text->is.number;
  put(rt::trace_event::user_log, {task_of(ctx), named, number}, {{named, 0}, text.release()});
}

}  // namespace weft::trace
