// SPDX-License-Identifier: Apache-2.0
// From unblock (or creation, or yield) to start.
#include "run_latency.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "trace_file.hpp"

namespace weft_command {

namespace {

class latency_finder {
 public:
  void take(const traced& e) {
    uint64_t& running = running_[e.thread];
    const uint64_t g = e.arguments[0];
    using enum trace_event;
    switch (e.what) {
      case go_create:
      case go_unblock:
        ready_[g] = e.ns;
        break;
      case go_start:
        started(g, e.ns);
        running = g;
        break;
      case go_stop:
      case go_syscall_end_blocked:
        if (running != 0) ready_[running] = e.ns;
        running = 0;
        break;
      case go_block:
      case go_destroy:
      case go_destroy_syscall:
        running = 0;
        break;
      case go_create_syscall:
        running = g;
        break;
      case go_status:
        if (e.arguments[2] == 2) running = g;
        break;
      case go_switch:
      case go_switch_destroy:
        running = g;
        break;
      default:
        break;
    }
  }
  run_latency out;

 private:
  void started(uint64_t g, int64_t ns) {
    const auto found = ready_.find(g);
    if (found == ready_.end()) return;  // ready before the trace began
    out.add(std::max<int64_t>(ns - found->second, 0));
    ready_.erase(found);
  }
  std::unordered_map<uint64_t, uint64_t> running_;  // by thread
  std::unordered_map<uint64_t, int64_t> ready_;     // since when
};

}  // namespace

void run_latency::add(int64_t ns) noexcept {
  const auto bucket = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(ns)));
  ++buckets[std::min(bucket, buckets.size() - 1)];
  ++count;
  max_ns = std::max(max_ns, ns);
}

int64_t run_latency::quantile_ns(double q) const noexcept {
  const auto wanted = static_cast<uint64_t>(std::ceil(q * static_cast<double>(count)));
  uint64_t below = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    below += buckets[i];
    if (below >= wanted && below != 0) return std::min(int64_t{1} << i, max_ns);
  }
  return max_ns;
}

weft::result<run_latency> find_run_latency(std::string_view trace) {
  weft::result<trace_reader> reader = trace_reader::open(trace);
  if (!reader) return weft::fail(reader.error());
  latency_finder finder;
  int64_t begin = -1;
  while (true) {
    trace_generation generation;
    const weft::result<bool> more = reader->next(generation);
    if (!more) return weft::fail(more.error());
    if (!*more) break;
    if (generation.events.empty()) continue;
    if (begin < 0) begin = generation.begin_ns;
    finder.out.traced_seconds = static_cast<double>(generation.end_ns - begin) / 1e9;
    for (const traced& e : generation.events) finder.take(e);
  }
  return finder.out;
}

}  // namespace weft_command
