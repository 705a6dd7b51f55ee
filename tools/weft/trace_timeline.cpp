// SPDX-License-Identifier: Apache-2.0
// Follows goroutines, processors and threads through a trace. Events are taken by time; threads'
// clocks may differ by a little, so what does not fit the state (a start before its unblock) is
// taken as it comes rather than refused: `go tool trace -d=parsed` is the judge of traces.
#include "trace_timeline.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace_file.hpp"

namespace weft_command {

namespace {

constexpr uint64_t none = ~uint64_t{0};

struct traced_goroutine {
  std::string name;
  uint64_t track = 0;  // 0: not shown yet
  bool track_named = false;
  uint64_t regions = 0;  // the track of its regions; 0: none yet
  int64_t open_regions = 0;
  bool open = false;     // a slice of its track is open
  bool waiting = false;  // and says that it waits
  uint64_t arrow = 0;    // from what woke it
};
struct traced_processor {
  uint64_t track = 0;
  bool open = false;
};
struct traced_thread {
  uint64_t processor = none;
  uint64_t goroutine = 0;
};
struct traced_task {
  uint64_t track = 0;
};

// Of the stack of each event: who is there knows the rest, and a trace has millions of them.
constexpr size_t note_frames_max = 4;

std::string stack_text(const std::vector<trace_frame>& frames) {
  std::string out;
  for (size_t i = 0; i < std::min(frames.size(), note_frames_max); ++i) {
    const trace_frame& f = frames[i];
    if (i != 0) out += "\n";
    out += f.function;
    const std::string_view file = f.file.substr(f.file.rfind('/') + 1);
    if (!file.empty()) out += " " + std::string(file) + ":" + std::to_string(f.line);
  }
  return out;
}

class converter {
 public:
  explicit converter(timeline& to)
      : to_(to),
        processors_group_(to.add_group("Ps")),
        goroutines_group_(to.add_group("goroutines")),
        program_group_(to.add_group("program")) {}

  void take(const trace_generation& g) {
    now_ = &g;
    if (!begun_ && !g.events.empty()) {
      begun_ = true;
      zero_ns_ = g.begin_ns;
    }
    find_names(g);
    size_t sample = 0;
    for (const traced& e : g.events) {
      for (; sample < g.samples.size() && g.samples[sample].ns <= e.ns; ++sample)
        take_sample(g.samples[sample]);
      at_ = std::max(at_, e.ns - zero_ns_);
      take(e);
      ++summary.events;
    }
    ++summary.generations;
  }

  void finish() {
    for (auto& [id, g] : goroutines_)
      if (g.track != 0 && !g.track_named && !g.name.empty())
        to_.rename(goroutines_group_, g.track, full_name(id, g));
    for (auto& [id, g] : goroutines_) close(g);
    for (auto& [id, p] : processors_) close(p);
    for (auto& [id, g] : goroutines_)
      for (; g.open_regions > 0; --g.open_regions) to_.end(g.regions, at_);
    for (auto& [id, t] : tasks_) to_.end(t.track, at_);
    for (auto& [name, track] : ranges_) to_.end(track, at_);
    summary.goroutines = static_cast<int64_t>(goroutines_.size());
    summary.duration_ns = at_;
  }

  trace_summary summary;

 private:
  // --- tracks -----------------------------------------------------------------------------------
  traced_goroutine& goroutine(uint64_t id) {
    traced_goroutine& g = goroutines_[id];
    return g;
  }
  /// Names of those that were there before the trace: what they are comes with their next stack.
  void find_names(const trace_generation& g) {
    std::unordered_map<uint64_t, uint64_t> running;  // by thread
    for (const auto& [id, m] : threads_) running[id] = m.goroutine;
    using enum trace_event;
    for (const traced& e : g.events) {
      uint64_t& now = running[e.thread];
      const auto& a = e.arguments;
      if (e.what == go_start || e.what == go_switch || e.what == go_switch_destroy ||
          e.what == go_create_syscall || (e.what == go_status && a[2] == 2))
        now = a[0];
      if (e.what == go_status_stack) name(goroutine(a[0]), a[3]);
      if (e.what == go_stop || e.what == go_block || e.what == go_syscall_begin) {
        if (now != 0) name(goroutine(now), a[1]);
        if (e.what != go_syscall_begin) now = 0;
      }
      if (e.what == go_destroy || e.what == go_destroy_syscall || e.what == go_syscall_end_blocked)
        now = 0;
    }
  }
  /// Names it after the root of its first stack.
  void name(traced_goroutine& g, uint64_t stack) {
    if (!g.name.empty()) return;
    const std::vector<trace_frame>& frames = now_->stack(stack);
    if (!frames.empty()) g.name = frames.back().function;
  }
  static std::string full_name(uint64_t id, const traced_goroutine& g) {
    return "G" + std::to_string(id) + (g.name.empty() ? "" : " " + g.name);
  }
  uint64_t track_of(uint64_t id, traced_goroutine& g) {
    if (g.track == 0) {
      g.track = to_.add_track(goroutines_group_, full_name(id, g));
      g.track_named = !g.name.empty();
    }
    return g.track;
  }
  traced_processor& processor(uint64_t id) {
    traced_processor& p = processors_[id];
    if (p.track == 0) p.track = to_.add_track(processors_group_, "P" + std::to_string(id));
    return p;
  }

  // --- slices -----------------------------------------------------------------------------------
  void close(traced_goroutine& g) {
    if (g.open) to_.end(g.track, at_);
    g.open = g.waiting = false;
  }
  void close(traced_processor& p) {
    if (p.open) to_.end(p.track, at_);
    p.open = false;
  }
  void show(uint64_t id, std::string_view what, uint64_t stack = 0, bool waiting = false) {
    traced_goroutine& g = goroutine(id);
    name(g, stack);
    const uint64_t track = track_of(id, g);
    close(g);
    to_.begin(track, at_, what, stack_text(now_->stack(stack)), 0);
    g.open = true;
    g.waiting = waiting;
  }
  /// The goroutine on the P of that thread.
  void show_on_processor(const traced_thread& m, std::string_view prefix) {
    if (m.processor == none || m.goroutine == 0) return;
    traced_processor& p = processor(m.processor);
    close(p);
    traced_goroutine& g = goroutine(m.goroutine);
    to_.begin(p.track, at_, std::string(prefix) + "G" + std::to_string(m.goroutine) + " " + g.name,
              {}, g.arrow);
    g.arrow = 0;
    p.open = true;
  }
  void off_processor(const traced_thread& m) {
    if (m.processor != none) close(processor(m.processor));
  }

  void start(traced_thread& m, uint64_t id) {
    m.goroutine = id;
    show(id, "running");
    show_on_processor(m, "");
  }
  void leave(traced_thread& m, std::string_view what, uint64_t stack, bool waiting) {
    if (m.goroutine == 0) return;
    show(m.goroutine, what, stack, waiting);
    off_processor(m);
    m.goroutine = 0;
  }
  void destroy(traced_thread& m) {
    if (m.goroutine == 0) return;
    traced_goroutine& g = goroutine(m.goroutine);
    close(g);
    for (; g.open_regions > 0; --g.open_regions) to_.end(g.regions, at_);
    off_processor(m);
    m.goroutine = 0;
  }
  void create(const traced_thread& m, uint64_t id, uint64_t entry, uint64_t stack, bool blocked) {
    traced_goroutine& g = goroutine(id);  // a number may come again
    close(g);
    for (; g.open_regions > 0; --g.open_regions) to_.end(g.regions, at_);
    g = {};
    name(g, entry);
    wake(m, g, "create G" + std::to_string(id), stack);
    show(id, blocked ? "waiting" : "runnable", 0, blocked);
  }
  /// An arrow from what the thread does now to where `g` runs next.
  void wake(const traced_thread& m, traced_goroutine& g, const std::string& what, uint64_t stack) {
    if (m.processor == none) return;
    g.arrow = ++arrows_;
    to_.point(processor(m.processor).track, at_, what, stack_text(now_->stack(stack)), g.arrow);
  }
  void unblock(const traced_thread& m, uint64_t id, uint64_t stack) {
    traced_goroutine& g = goroutine(id);
    wake(m, g, "unblock G" + std::to_string(id), stack);
    // Its start may have come before, by another thread's clock.
    if (g.waiting || !g.open) show(id, "runnable");
  }

  void status(const traced& e, traced_thread& m) {
    const uint64_t id = e.arguments[0];
    const uint64_t stack = e.what == trace_event::go_status_stack ? e.arguments[3] : 0;
    traced_goroutine& g = goroutine(id);
    const bool known = g.open;
    name(g, stack);
    switch (e.arguments[2]) {
      case 1:
        if (!known) show(id, "runnable", stack);
        break;
      case 2:
        m.goroutine = id;
        if (!known) show(id, "running", stack);
        if (m.processor != none && !processor(m.processor).open) show_on_processor(m, "");
        break;
      case 3:
        if (e.arguments[1] != no_thread) threads_[e.arguments[1]].goroutine = id;
        if (!known) show(id, "syscall", stack);
        break;
      default:
        if (!known) show(id, "waiting", stack, true);
    }
  }

  // --- what spans the program -------------------------------------------------------------------
  void begin_range(const std::string& name) {
    if (ranges_.contains(name)) return;
    const uint64_t track = range_tracks_.contains(name)
                               ? range_tracks_[name]
                               : range_tracks_[name] = to_.add_track(program_group_, name);
    ranges_[name] = track;
    to_.begin(track, at_, name, {}, 0);
  }
  void end_range(const std::string& name) {
    const auto found = ranges_.find(name);
    if (found == ranges_.end()) return;
    to_.end(found->second, at_);
    ranges_.erase(found);
  }
  void count(const char* name, bool bytes, uint64_t value) {
    uint64_t& counter = counters_[name];
    if (counter == 0) counter = to_.add_counter(program_group_, name, bytes);
    to_.count(counter, at_, static_cast<int64_t>(value));
  }

  void begin_task(const traced& e) {
    const std::string name(now_->string(e.arguments[2]));
    traced_task& t = tasks_[e.arguments[0]];
    if (t.track != 0) to_.end(t.track, at_);
    if (tasks_group_ == 0) tasks_group_ = to_.add_group("tasks");
    t.track = to_.add_track(tasks_group_, name + " " + std::to_string(e.arguments[0]));
    to_.begin(t.track, at_, name, stack_text(now_->stack(e.arguments[3])), 0);
  }
  void end_task(uint64_t id) {
    const auto found = tasks_.find(id);
    if (found == tasks_.end()) return;
    to_.end(found->second.track, at_);
    tasks_.erase(found);
  }
  void begin_region(const traced& e, const traced_thread& m) {
    if (m.goroutine == 0) return;
    traced_goroutine& g = goroutine(m.goroutine);
    if (g.regions == 0)
      g.regions = to_.add_track(goroutines_group_, full_name(m.goroutine, g) + ": regions");
    to_.begin(g.regions, at_, now_->string(e.arguments[1]), {}, 0);
    ++g.open_regions;
  }
  void end_region(const traced_thread& m) {
    if (m.goroutine == 0) return;
    traced_goroutine& g = goroutine(m.goroutine);
    if (g.open_regions == 0) return;
    to_.end(g.regions, at_);
    --g.open_regions;
  }
  void take_sample(const cpu_sample& s) {
    at_ = std::max(at_, s.ns - zero_ns_);
    if (s.goroutine == 0) return;
    traced_goroutine& g = goroutine(s.goroutine);
    to_.point(track_of(s.goroutine, g), at_, "CPU sample", stack_text(now_->stack(s.stack)), 0);
  }

  void take(const traced& e) {
    traced_thread& m = threads_[e.thread];
    const auto& a = e.arguments;
    using enum trace_event;
    switch (e.what) {
      case proc_start:
        m.processor = a[0];
        (void)processor(a[0]);
        break;
      case proc_stop:
        off_processor(m);
        m.processor = none;
        break;
      case proc_steal:
        if (traced_thread& victim = threads_[a[2]]; victim.processor == a[0]) {
          off_processor(victim);
          victim.processor = none;
        }
        break;
      case proc_status:
        if (a[1] == 1 || a[1] == 3) m.processor = a[0];
        (void)processor(a[0]);
        break;
      case go_create:
      case go_create_blocked:
        create(m, a[0], a[1], a[2], e.what == go_create_blocked);
        break;
      case go_create_syscall:
        m.goroutine = a[0];
        show(a[0], "syscall");
        break;
      case go_start:
        start(m, a[0]);
        break;
      case go_destroy:
      case go_destroy_syscall:
        destroy(m);
        break;
      case go_stop:
        leave(m, "runnable: " + std::string(now_->string(a[0])), a[1], false);
        break;
      case go_block:
        leave(m, "waiting: " + std::string(now_->string(a[0])), a[1], true);
        break;
      case go_unblock:
        unblock(m, a[0], a[2]);
        break;
      case go_syscall_begin:
        if (m.goroutine != 0) show(m.goroutine, "syscall", a[1]);
        show_on_processor(m, "syscall of ");
        break;
      case go_syscall_end:
        if (m.goroutine != 0) show(m.goroutine, "running");
        show_on_processor(m, "");
        break;
      case go_syscall_end_blocked:
        leave(m, "runnable", 0, false);
        break;
      case go_status:
      case go_status_stack:
        status(e, m);
        break;
      case go_switch:
      case go_switch_destroy:
        if (e.what == go_switch)
          leave(m, "waiting: switch", 0, true);
        else
          destroy(m);
        start(m, a[0]);
        break;
      default:
        take_other(e, m);
    }
  }

  void take_other(const traced& e, const traced_thread& m) {
    const auto& a = e.arguments;
    using enum trace_event;
    switch (e.what) {
      case procs_change:
        count("Ps", false, a[0]);
        break;
      case stw_begin:
        begin_range("stop the world");
        break;
      case stw_end:
        end_range("stop the world");
        break;
      case gc_active:
      case gc_begin:
        begin_range("GC");
        break;
      case gc_end:
        end_range("GC");
        break;
      case heap_alloc:
        count("heap", true, a[0]);
        break;
      case heap_goal:
        count("heap goal", true, a[0]);
        break;
      case task_begin:
        begin_task(e);
        break;
      case task_end:
        end_task(a[0]);
        break;
      case region_begin:
        begin_region(e, m);
        break;
      case region_end:
        end_region(m);
        break;
      case log:
        if (m.goroutine != 0)
          to_.point(track_of(m.goroutine, goroutine(m.goroutine)), at_,
                    std::string(now_->string(a[1])) + ": " + std::string(now_->string(a[2])), {},
                    0);
        break;
      default:
        break;
    }
  }

  timeline& to_;
  uint64_t processors_group_;
  uint64_t goroutines_group_;
  uint64_t program_group_;
  uint64_t tasks_group_ = 0;
  const trace_generation* now_ = nullptr;
  bool begun_ = false;
  int64_t zero_ns_ = 0;
  int64_t at_ = 0;
  uint64_t arrows_ = 0;
  std::unordered_map<uint64_t, traced_goroutine> goroutines_;
  std::unordered_map<uint64_t, traced_processor> processors_;
  std::unordered_map<uint64_t, traced_thread> threads_;
  std::unordered_map<uint64_t, traced_task> tasks_;
  std::unordered_map<std::string, uint64_t> ranges_;        // open ones
  std::unordered_map<std::string, uint64_t> range_tracks_;  // all
  std::unordered_map<std::string, uint64_t> counters_;
};

}  // namespace

weft::result<trace_summary> convert_trace(std::string_view file, timeline& to,
                                          const std::function<void(size_t)>& done) {
  weft::result<trace_reader> reader = trace_reader::open(file);
  if (!reader) return weft::fail(reader.error());
  converter all(to);
  while (true) {
    trace_generation generation;
    const weft::result<bool> more = reader->next(generation);
    if (!more) {
      if (all.summary.generations == 0) return weft::fail(more.error());
      all.summary.cut_off = more.error();
      break;
    }
    if (!*more) break;
    all.take(generation);
    if (done) done(reader->offset());
  }
  all.finish();
  return all.summary;
}

}  // namespace weft_command
