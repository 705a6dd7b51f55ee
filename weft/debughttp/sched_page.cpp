// SPDX-License-Identifier: Apache-2.0
// /debug/sched: Ps, Ms and counts, in the form of Go's schedtrace with scheddetail.
#include <string>

#include "weft/debughttp/internal/answer.hpp"
#include "weft/debughttp/internal/pages.hpp"
#include "weft/sched/internal/scheduler_view.hpp"

namespace weft::debughttp {

namespace {

std::string number_or_nil(int64_t n) { return n < 0 ? "nil" : std::to_string(n); }

std::string as_text(const rt::scheduler_view& v) {
  std::string out;
  append_format(out,
                "SCHED %lldms: gomaxprocs=%u idleprocs=%u threads=%d spinningthreads=%u "
                "needspinning=%d idlethreads=%d runqueue=%u [",
                static_cast<long long>(v.uptime_ns / 1'000'000), v.procs, v.idle_procs, v.threads,
                v.spinning_threads, v.need_spinning ? 1 : 0, v.idle_threads, v.run_queue_len);
  for (const auto& p : v.processors) append_format(out, " %u", p.queue_len);
  out += " ] schedticks=[";
  for (const auto& p : v.processors) append_format(out, " %u", p.tick);
  out += " ]\n";
  append_format(out,
                "goroutines=%llu created=%llu runnable=%llu running=%llu waiting=%llu "
                "networkwaiters=%u retakes=%llu reclaims=%llu guests=%u\n",
                static_cast<unsigned long long>(v.goroutines),
                static_cast<unsigned long long>(v.created),
                static_cast<unsigned long long>(v.states.runnable),
                static_cast<unsigned long long>(v.states.running),
                static_cast<unsigned long long>(v.states.waiting), v.network_waiters,
                static_cast<unsigned long long>(v.retakes),
                static_cast<unsigned long long>(v.reclaims), v.guests);
  for (const auto& p : v.processors)
    append_format(
        out, "  P%u: status=%s schedtick=%u m=%s runqsize=%u timerslen=%u warmstacks=%u\n", p.id,
        p.status, p.tick, number_or_nil(p.machine).c_str(), p.queue_len, p.timers, p.warm_stacks);
  for (const auto& m : v.machines)
    append_format(out, "  M%u: tid=%d p=%s curg=%s spinning=%s announced=%s robbed=%s guest=%s\n",
                  m.id, m.tid, number_or_nil(m.processor).c_str(),
                  m.goroutine == 0 ? "nil" : std::to_string(m.goroutine).c_str(),
                  m.spinning ? "true" : "false", m.announced ? "true" : "false",
                  m.robbed ? "true" : "false", m.guest ? "true" : "false");
  return out;
}

json::value number_or_null(int64_t n) { return n < 0 ? json::value(nullptr) : json::value(n); }

json::value as_json(const rt::scheduler_view& v) {
  json::array processors;
  for (const auto& p : v.processors)
    processors.emplace_back(json::object{{"id", p.id},
                                         {"status", p.status},
                                         {"machine", number_or_null(p.machine)},
                                         {"run_queue", p.queue_len},
                                         {"tick", p.tick},
                                         {"timers", p.timers},
                                         {"warm_stacks", p.warm_stacks}});
  json::array machines;
  for (const auto& m : v.machines)
    machines.emplace_back(json::object{
        {"id", m.id},
        {"tid", m.tid},
        {"processor", number_or_null(m.processor)},
        {"goroutine", m.goroutine == 0 ? json::value(nullptr) : json::value(m.goroutine)},
        {"spinning", m.spinning},
        {"announced", m.announced},
        {"robbed", m.robbed},
        {"guest", m.guest}});
  return json::object{{"uptime_seconds", static_cast<double>(v.uptime_ns) / 1e9},
                      {"procs", v.procs},
                      {"idle_procs", v.idle_procs},
                      {"threads", v.threads},
                      {"idle_threads", v.idle_threads},
                      {"spinning_threads", v.spinning_threads},
                      {"need_spinning", v.need_spinning},
                      {"run_queue", v.run_queue_len},
                      {"goroutines", v.goroutines},
                      {"goroutines_created", v.created},
                      {"states", json::object{{"runnable", v.states.runnable},
                                              {"running", v.states.running},
                                              {"waiting", v.states.waiting}}},
                      {"network_waiters", v.network_waiters},
                      {"retakes", v.retakes},
                      {"reclaims", v.reclaims},
                      {"guests", v.guests},
                      {"processors", std::move(processors)},
                      {"machines", std::move(machines)}};
}

}  // namespace

void add_sched_page(http::mux& to) {
  to.handle("GET /debug/sched", [](http::response_writer& w, http::request& r) {
    const rt::scheduler_view v = rt::view_scheduler();
    if (wanted_form(r) == form::json) return reply_json(w, as_json(v));
    reply_text(w, as_text(v));
  });
}

}  // namespace weft::debughttp
