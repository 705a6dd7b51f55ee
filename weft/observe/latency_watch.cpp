// SPDX-License-Identifier: Apache-2.0
// Watched latencies: lists of what is being awaited, which the tracer looks through.
//
// Rejected: a timer for each, which costs an allocation and a place in the P's heap for what is
// nearly always stopped again.
#include <algorithm>
#include <cstring>
#include <string>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/observe/flight_recorder.hpp"
#include "weft/observe/internal/flight.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft::trace {

/// One of several, so that Ps do not wait for each other.
struct watch_list {
  rt::futex_mutex lock{rt::lock_rank::leaf};
  latency_watch* first WEFT_GUARDED_BY(lock) = nullptr;

  void add(latency_watch& w) noexcept {
    rt::kept_lock_scope hold(lock);
    w.next_ = first;
    if (first != nullptr) first->at_ = &w.next_;
    first = &w;
    w.at_ = &first;
  }
  /// Whether it was told of already.
  bool remove(latency_watch& w) noexcept {
    rt::kept_lock_scope hold(lock);
    *w.at_ = w.next_;
    if (w.next_ != nullptr) w.next_->at_ = w.at_;
    return w.told_;
  }
  /// One that takes too long and that nobody was told of.
  bool take_late(int64_t now, struct late_one& out) noexcept;
};

struct late_one {
  char what[129] = {};
  int64_t took_ns = 0;
  int64_t limit_ns = 0;
  bool ended = false;
};

namespace {

constexpr size_t lists_count = 16;
watch_list lists[lists_count];

watch_list& list_of(const latency_watch* w) noexcept {
  return lists[(reinterpret_cast<uintptr_t>(w) >> 12) % lists_count];  // a stack's page
}

rt::atomic<int> files{0};
rt::atomic<int64_t> last_ns{0};

/// Whether one more may be written now: then it is counted.
bool may_save(int64_t now) noexcept {
  int64_t last = last_ns.load(rt::relaxed);
  if (last != 0 && now - last < latency_pause.count()) return false;
  if (files.load(rt::relaxed) >= latency_files_max) return false;
  if (!last_ns.compare_exchange(last, now, rt::relaxed, rt::relaxed)) return false;
  files.fetch_add(1, rt::relaxed);
  return true;
}

void copy_text(late_one& to, std::string_view what) noexcept {
  const rt::sanitizer::unseen_accesses by_memcpy;
  std::memcpy(to.what, what.data(), std::min(what.size(), sizeof to.what - 1));
}

std::string milliseconds(int64_t ns) { return std::to_string(ns / 1'000'000) + " ms"; }

void save(const late_one& late) {
  const std::string text = std::string(late.what) + (late.ended ? " took " : " has taken ") +
                           milliseconds(late.took_ns) +
                           (late.ended ? " (limit " : " so far (limit ") +
                           milliseconds(late.limit_ns) + ")";
  log(background(), "latency", text);
  const result<std::string> path = save_flight_recorder("latency");
  const std::string line =
      "weft: " + text + (path ? ": trace in " + *path : ": no trace: " + path.error().message()) +
      "\n";
  rt::os::write_all(2, line.data(), line.size());
}

}  // namespace

bool watch_list::take_late(int64_t now, late_one& out) noexcept {
  rt::kept_lock_scope hold(lock);
  for (latency_watch* w = first; w != nullptr; w = w->next_) {
    if (w->told_ || now - w->begun_ns_ <= w->limit_ns_) continue;
    w->told_ = true;
    copy_text(out, w->what_);
    out.took_ns = now - w->begun_ns_;
    out.limit_ns = w->limit_ns_;
    return true;
  }
  return false;
}

void look_at_latencies(int64_t now) {
  for (watch_list& list : lists) {
    late_one late;
    if (!list.take_late(now, late) || !may_save(now)) continue;
    go({.name = "latency"}, [late] { save(late); });
  }
}

latency_watch::latency_watch(std::string_view what, std::chrono::nanoseconds limit) noexcept
    : what_(what), limit_ns_(limit.count()) {
  if (!flight_recorder_enabled()) return;
  begun_ns_ = rt::os::monotonic_ns();
  const rt::section entered(rt::leaf);
  list_of(this).add(*this);
}

latency_watch::~latency_watch() {
  if (begun_ns_ == 0) return;
  late_one late;
  bool told = false;
  {
    const rt::section entered(rt::leaf);
    told = list_of(this).remove(*this);
  }
  if (told || !flight_recorder_enabled()) return;
  const int64_t now = rt::os::monotonic_ns();
  late.took_ns = now - begun_ns_;
  if (late.took_ns <= limit_ns_ || !may_save(now)) return;
  late.limit_ns = limit_ns_;
  late.ended = true;
  copy_text(late, what_);
  go({.name = "latency"}, [late] { save(late); });
}

}  // namespace weft::trace
