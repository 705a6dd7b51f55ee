// SPDX-License-Identifier: Apache-2.0
#include "bench/http/observe.hpp"

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "bench/common/measure.hpp"
#include "bench/common/observers.hpp"
#include "weft/sched/runtime.hpp"

namespace bench {
namespace {

struct interval {
  double cpu_ns = 0;  // of a request
  double rps = 0;
  double requests = 0;
};

/// Ends of an interval: what was used until then.
struct mark {
  int64_t wall = wall_ns();
  int64_t cpu = cpu_ns();
  uint64_t requests;
  explicit mark(const weft::http::server& of) : requests(of.stats().requests) {}
};

interval between(const mark& begin, const mark& end) {
  const auto requests = static_cast<double>(std::max<uint64_t>(1, end.requests - begin.requests));
  return {static_cast<double>(end.cpu - begin.cpu) / requests,
          requests * 1e9 / static_cast<double>(end.wall - begin.wall), requests};
}

interval measure(const weft::http::server& of, const observer& by, std::chrono::milliseconds time) {
  const mark begin(of);
  by.on();
  weft::sleep_for(time);
  by.off();
  return between(begin, mark(of));
}

/// The whole part, from switching on to the last byte written: a trace has one generation in it, as
/// it has each second.
std::string measure_pairs(const weft::http::server& of, const observer& by,
                          std::chrono::milliseconds time, int pairs) {
  (void)measure(of, by, time / 4);  // reads debug information, once
  const int64_t bytes = trace_bytes.bytes;
  double requests = 0;
  pairs_of cpu;
  pairs_of rps;
  for (int i = 0; i < pairs; ++i) {
    interval on;
    if (i % 2 != 0) on = measure(of, by, time);
    const interval off = measure(of, observers[0], time);
    if (i % 2 == 0) on = measure(of, by, time);
    requests += on.requests;
    cpu.add(off.cpu_ns, on.cpu_ns);
    rps.add(off.rps, on.rps);
  }
  char text[256];
  (void)std::snprintf(text, sizeof text,
                      "{\"cpu_percent\": %.4g, \"cpu_ns\": %.4g, \"lost_percent\": %.4g, "
                      "\"bytes_per_request\": %.4g}\n",
                      cpu.middle().percent, cpu.middle().amount, -rps.middle().percent,
                      static_cast<double>(trace_bytes.bytes - bytes) / requests);
  return text;
}

int number(const weft::http::request& r, std::string_view name, int otherwise) {
  const std::string text = r.query_value(name);
  return text.empty() ? otherwise : std::max(1, std::atoi(text.c_str()));
}

}  // namespace

void handle_observe(weft::http::mux& routes, const weft::http::server*& of) {
  routes.handle("GET /observe", [&of](weft::http::response_writer& w, weft::http::request& r) {
    const observer* by = find_observer(r.query_value("what"));
    if (by == nullptr) return weft::http::reply_error(w, 404, "no such observer");
    const std::chrono::milliseconds time(number(r, "ms", 900));
    (void)w.write(measure_pairs(*of, *by, time, number(r, "pairs", 7)));
  });
}

}  // namespace bench
