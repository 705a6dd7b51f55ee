// SPDX-License-Identifier: Apache-2.0
// Beginning and ending a trace, and the events that programs write themselves.
#include "weft/observe/trace.hpp"

#include <mutex>

#include "weft/observe/internal/trace_file.hpp"
#include "weft/observe/internal/trace_strings.hpp"
#include "weft/observe/internal/tracer.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/internal/trace.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::trace {

const error already_tracing("trace: tracing is already on");
const error not_tracing("trace: tracing is not on");
const error lost_events("trace: there was no memory for some events: a generation is missing");

namespace {

/// A trace that was asked for: generations go to its sink as they are.
class sink_listener final : public listener {
 public:
  result<void> start(sink to);
  result<void> stop();
  /// weft::run is ending, and what the sink refers to may be gone.
  void drop();

  void take(const std::shared_ptr<const generation>& ended) override {
    if (dropped_.load(rt::acquire) == 0 && first_error_) first_error_ = to_(ended->bytes);
  }
  void lost() noexcept override {
    if (first_error_) first_error_ = fail(lost_events);
  }

 private:
  mutex lock_;
  bool on_ = false;
  sink to_{nullptr, nullptr};
  result<void> first_error_;
  rt::atomic<uint32_t> dropped_{0};
};

sink_listener& the_trace() {
  static auto* made = new sink_listener;
  return *made;
}

result<void> sink_listener::start(sink to) {
  const std::lock_guard<mutex> held(lock_);
  if (on_) return fail(already_tracing);
  to_ = to;
  dropped_.store(0, rt::relaxed);
  first_error_ = to_(rt::trace_header);
  if (!first_error_) return first_error_;
  if (result<void> added = the_tracer().add(*this); !added) return added;
  on_ = true;
  return {};
}

result<void> sink_listener::stop() {
  const std::lock_guard<mutex> held(lock_);
  if (!on_) return fail(not_tracing);
  on_ = false;
  if (!the_tracer().remove(*this) && first_error_) return fail(run_is_ending);
  return first_error_;
}

void sink_listener::drop() {
  const std::lock_guard<mutex> held(lock_);
  if (!on_) return;
  on_ = false;
  dropped_.store(1, rt::release);
  (void)the_tracer().remove(*this);
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

result<void> start(sink to) { return the_trace().start(to); }
result<void> stop() { return the_trace().stop(); }
void drop_trace() { the_trace().drop(); }
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
  const uint64_t number = text->number;
  put(rt::trace_event::user_log, {task_of(ctx), named, number}, {{named, 0}, text.release()});
}

}  // namespace weft::trace
