// SPDX-License-Identifier: Apache-2.0
// /metrics: figures for monitoring, in OpenMetrics' text. Names are those of Go's runtime/metrics,
// written as Prometheus writes them ("/sched/gomaxprocs:threads" is weft_sched_gomaxprocs_threads),
// where Go has the figure; what Go has and Weft cannot say is left out rather than 0.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/debughttp/internal/answer.hpp"
#include "weft/debughttp/internal/pages.hpp"
#include "weft/heap/stats.hpp"
#include "weft/observe/internal/run_latencies.hpp"
#include "weft/sched/internal/scheduler_view.hpp"

namespace weft::debughttp {

namespace {

enum class metric_kind : uint8_t { gauge, counter, histogram };
using metric_kind::counter;
using metric_kind::gauge;
using metric_kind::histogram;

std::string_view text_of(metric_kind k) noexcept {
  constexpr std::string_view texts[] = {"gauge", "counter", "histogram"};
  return texts[static_cast<size_t>(k)];
}

/// One figure of a family, with one label or none.
struct sample {
  double value = 0;
  std::string_view label_key{};
  std::string label_value{};
  /// What a histogram's are told apart by: _bucket, _sum, _count.
  std::string_view name_ending{};
};

struct family {
  /// Ends with its unit; without _total.
  std::string_view name;
  metric_kind kind;
  std::string_view unit;
  std::string_view help;
  std::vector<sample> samples;
};

class metrics {
 public:
  template <class N>
  void add(std::string_view name, metric_kind kind, std::string_view unit, N value,
           std::string_view help) {
    all_.push_back({name, kind, unit, help, {{.value = static_cast<double>(value)}}});
  }
  void add_each(family of) {
    if (!of.samples.empty()) all_.push_back(std::move(of));
  }
  [[nodiscard]] const std::vector<family>& all() const noexcept { return all_; }

 private:
  std::vector<family> all_;
};

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

void add_goroutines(metrics& to, const rt::scheduler_view& v) {
  uint64_t robbed = 0;
  for (const rt::machine_view& m : v.machines)
    if (m.goroutine != 0 && m.robbed) ++robbed;
  to.add("weft_sched_goroutines_goroutines", gauge, "goroutines", v.goroutines,
         "Goroutines alive.");
  to.add("weft_sched_goroutines_created_goroutines", counter, "goroutines", v.created,
         "Goroutines started since the program began.");
  to.add("weft_sched_goroutines_runnable_goroutines", gauge, "goroutines", v.states.runnable,
         "Goroutines that wait for a P. Approximate, as all of the states.");
  to.add("weft_sched_goroutines_running_goroutines", gauge, "goroutines", v.states.running,
         "Goroutines that run, with a P or without.");
  to.add("weft_sched_goroutines_waiting_goroutines", gauge, "goroutines", v.states.waiting,
         "Goroutines that wait for something: channels, locks, time, the network.");
  to.add("weft_sched_goroutines_not_in_go_goroutines", gauge, "goroutines", robbed,
         "Goroutines whose thread lost its P while it blocked or computed.");
  to.add("weft_net_waiters_goroutines", gauge, "goroutines", v.network_waiters,
         "Goroutines and idle connections that wait for the network.");
}

void add_processors(metrics& to, const rt::scheduler_view& v) {
  to.add("weft_sched_gomaxprocs_threads", gauge, "threads", v.procs,
         "Goroutines that may run at once: Ps.");
  to.add("weft_sched_threads_total_threads", gauge, "threads", v.threads,
         "Threads of the runtime, the monitor included.");
  to.add("weft_sched_idle_threads", gauge, "threads", v.idle_threads,
         "Threads that have nothing to do.");
  to.add("weft_sched_idle_processors", gauge, "processors", v.idle_procs, "Ps that nobody holds.");
  to.add("weft_sched_retaken_processors", counter, "processors", v.retakes,
         "Ps taken from threads that blocked or computed for long.");
  to.add("weft_sched_global_run_queue_goroutines", gauge, "goroutines", v.run_queue_len,
         "Goroutines in the queue that all Ps share.");
  family queues{"weft_sched_run_queue_goroutines",
                gauge,
                "goroutines",
                "Goroutines in the queue of a P.",
                {}};
  family ticks{"weft_sched_decisions",
               counter,
               "",
               "Times that a P has picked a goroutine. Starts again after 2^32.",
               {}};
  for (const rt::processor_view& p : v.processors) {
    queues.samples.push_back({static_cast<double>(p.queue_len), "p", std::to_string(p.id)});
    ticks.samples.push_back({static_cast<double>(p.tick), "p", std::to_string(p.id)});
  }
  to.add_each(std::move(queues));
  to.add_each(std::move(ticks));
}

void add_time(metrics& to, const rt::scheduler_view& v) {
  rusage used{};
  (void)::getrusage(RUSAGE_SELF, &used);
  const double uptime = static_cast<double>(v.uptime_ns) / 1e9;
  const double there = uptime * v.procs;
  const double cpu = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  to.add("weft_cpu_classes_total_cpu_seconds", counter, "seconds", there,
         "CPU time that was there: Ps times the time since the runtime began.");
  to.add("weft_cpu_classes_user_cpu_seconds", counter, "seconds", cpu,
         "CPU time of the whole process, the kernel's for it included.");
  to.add("weft_cpu_classes_idle_cpu_seconds", counter, "seconds", std::max(there - cpu, 0.0),
         "CPU time that was there and not used.");
  to.add("weft_uptime_seconds", gauge, "seconds", uptime, "Time since the runtime began.");
}

std::string number_text(double value) {
  char out[64];
  constexpr double exact_max = 9007199254740992.0;  // 2^53
  const bool is_whole = std::floor(value) == value && std::fabs(value) < exact_max;
  const auto end = is_whole ? std::to_chars(out, out + sizeof out, static_cast<int64_t>(value))
                            : std::to_chars(out, out + sizeof out, value);
  return {out, end.ptr};
}

void add_waiting(metrics& to) {
  const rt::run_latencies l = rt::read_run_latencies();
  family all{"weft_sched_latencies_seconds",
             histogram,
             "seconds",
             "Time from ready to running, of one goroutine in 64 that become ready. Measured from "
             "the first reading of this page until five minutes after the latest.",
             {}};
  uint64_t count = 0;
  for (size_t i = 0; i < l.counts.size(); ++i) {
    count += l.counts[i];
    const double up_to = std::ldexp(1e-9, static_cast<int>(i) + l.first_bits);
    all.samples.push_back({.value = static_cast<double>(count),
                           .label_key = "le",
                           .label_value = i + 1 < l.counts.size() ? number_text(up_to) : "+Inf",
                           .name_ending = "_bucket"});
  }
  all.samples.push_back({.value = static_cast<double>(count), .name_ending = "_count"});
  all.samples.push_back({.value = static_cast<double>(l.sum_ns) / 1e9, .name_ending = "_sum"});
  to.add_each(std::move(all));
  if (const double waited = rt::mutex_wait_ns(); waited >= 0)
    to.add(
        "weft_sync_mutex_wait_total_seconds", counter, "seconds", waited / 1e9,
        "Time that goroutines have waited for locks, estimated from the mutex profile's samples.");
}

void add_heap(metrics& to) {
  const heap_statistics h = heap_stats();
  const size_t unused = h.span_bytes > h.in_use_bytes ? h.span_bytes - h.in_use_bytes : 0;
  size_t objects = h.large_objects;
  family by_size{"weft_heap_class_objects",
                 gauge,
                 "objects",
                 "Objects in use, by the size of their class.",
                 {}};
  for (const heap_class_statistics& c : h.classes) {
    objects += c.in_use;
    if (c.spans != 0)
      by_size.samples.push_back(
          {static_cast<double>(c.in_use), "object_bytes", std::to_string(c.object_bytes)});
  }
  to.add("weft_gc_heap_objects_objects", gauge, "objects", objects, "Objects in use.");
  if (h.memory_limit != SIZE_MAX)
    to.add("weft_gc_gomemlimit_bytes", gauge, "bytes", h.memory_limit, "WEFT_MEMLIMIT.");
  to.add("weft_memory_classes_heap_objects_bytes", gauge, "bytes", h.in_use_bytes,
         "Objects in use, rounded up to their classes and pages.");
  to.add("weft_memory_classes_heap_unused_bytes", gauge, "bytes", unused,
         "The rest of the pages that objects are in.");
  to.add("weft_memory_classes_heap_free_bytes", gauge, "bytes", h.idle_bytes,
         "Pages without objects that are resident.");
  to.add("weft_memory_classes_heap_released_bytes", gauge, "bytes", h.returned_bytes,
         "Pages without objects that were given back to the kernel.");
  to.add("weft_memory_classes_metadata_other_bytes", gauge, "bytes", h.metadata_bytes,
         "Caches, samples and recorded stacks of the heap.");
  to.add("weft_memory_classes_total_bytes", gauge, "bytes",
         h.in_use_bytes + unused + h.idle_bytes + h.returned_bytes + h.metadata_bytes,
         "The sum of the classes.");
  to.add("weft_memory_returned_bytes", counter, "bytes", h.released_bytes,
         "Given back to the kernel since the program began.");
  to.add_each(std::move(by_size));
}

/// OpenMetrics 1.0, or Prometheus' older text, which names counters with their _total.
std::string as_text(const metrics& m, bool open) {
  std::string out;
  for (const family& f : m.all()) {
    const std::string_view total = f.kind == counter ? "_total" : "";
    std::string name(f.name);
    if (!open) name += total;
    out += "# TYPE " + name + ' ' + std::string(text_of(f.kind)) + '\n';
    if (open && !f.unit.empty()) out += "# UNIT " + name + ' ' + std::string(f.unit) + '\n';
    out += "# HELP " + name + ' ' + std::string(f.help) + '\n';
    if (open) name += total;
    for (const sample& s : f.samples) {
      out += name + std::string(s.name_ending);
      if (!s.label_key.empty())
        out += '{' + std::string(s.label_key) + "=\"" + s.label_value + "\"}";
      out += ' ' + number_text(s.value) + '\n';
    }
  }
  if (open) out += "# EOF\n";
  return out;
}

json::value as_json(const metrics& m) {
  json::object all;
  for (const family& f : m.all()) {
    json::array values;
    for (const sample& s : f.samples) {
      json::object one{{"value", s.value}};
      if (!s.label_key.empty())
        one["labels"] = json::object{{std::string(s.label_key), s.label_value}};
      if (!s.name_ending.empty()) one["ending"] = s.name_ending;
      values.emplace_back(std::move(one));
    }
    all[f.name] = json::object{{"type", text_of(f.kind)},
                               {"unit", f.unit},
                               {"help", f.help},
                               {"samples", std::move(values)}};
  }
  return all;
}

/// Whoever asks for the older text and not for OpenMetrics gets it.
bool wants_open(const http::request& r) {
  const std::string asked = r.query_value("format");
  if (asked == "prometheus") return false;
  const std::string_view accept = r.headers.get("Accept");
  return accept.find("application/openmetrics-text") != std::string_view::npos ||
         accept.find("text/plain") == std::string_view::npos;
}

void serve(http::response_writer& w, http::request& r) {
  metrics m;
  const rt::scheduler_view v = rt::view_scheduler();
  add_goroutines(m, v);
  add_processors(m, v);
  add_time(m, v);
  add_waiting(m);
  add_heap(m);
  if (wanted_form(r) == form::json) return reply_json(w, as_json(m));
  const bool open = wants_open(r);
  reply_text(w, as_text(m, open),
             open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                  : "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace

void add_metrics_page(http::mux& to) { to.handle("GET /metrics", serve); }

}  // namespace weft::debughttp
