// SPDX-License-Identifier: Apache-2.0
// wall: where goroutines spend their time, running and parked alike.
//
// A thread looks at goroutines at fixed times, not at threads: each that it sees has spent the time
// since the look before where it is. With more cells than are looked at each time, a window moves
// over them, and each stands for as many as there are windows. The goroutines notice nothing; only
// those that run are asked by a signal.
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "weft/base/os/os.hpp"
#include "weft/observe/internal/look.hpp"
#include "weft/observe/internal/profile.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::rt {

namespace {

constexpr int wall_hz_max = 1000;
constexpr int wall_goroutines_max = 1'000'000;
constexpr size_t wall_stack_bytes = size_t{256} * 1024;

struct wall_sum {
  double looks = 0;
  double ns = 0;
};

struct wall_key {
  const label_set* labels = nullptr;
  std::string_view state;  // static text
  bool unborn = false;
  std::vector<uintptr_t> pcs;
  bool operator==(const wall_key&) const = default;
};
struct wall_hash {
  size_t operator()(const wall_key& key) const noexcept {
    uint64_t h =
        reinterpret_cast<uintptr_t>(key.labels) ^ reinterpret_cast<uintptr_t>(key.state.data());
    for (const uintptr_t pc : key.pcs) h = (h ^ pc) * 0xBF58476D1CE4E5B9u + (h >> 29);
    return h;
  }
};

class wall_sampler {
 public:
  result<void> start(const prof::wall_options& how);
  result<prof::cpu_summary> stop(prof::sink to, prof::form form);

 private:
  void watch();
  void look(int64_t passed_ns);
  profile make_profile() const;

  mutex lock_;
  bool on_ = false;
  prof::wall_options how_;
  int64_t begun_ns_ = 0, begun_mono_ns_ = 0, ended_mono_ns_ = 0;
  atomic<uint32_t> stop_asked_{0};
  atomic<uint32_t> ended_{0};
  // The thread's, between start and its end.
  uint32_t next_cell_ = 0;
  int64_t looks_ = 0;
  seen_goroutine seen_{};
  std::unordered_map<wall_key, wall_sum, wall_hash> sums_;
};

wall_sampler& the_wall_sampler() {
  static auto* made = new wall_sampler;
  return *made;
}

error bad_option(const char* name, int value, int most) {
  return error(std::make_error_code(std::errc::invalid_argument),
               std::string("prof: ") + name + " is " + std::to_string(value) + ": must be 1 to " +
                   std::to_string(most));
}

result<void> wall_sampler::start(const prof::wall_options& how) {
  if (how.rate_hz < 1 || how.rate_hz > wall_hz_max)
    return fail(bad_option("rate_hz", how.rate_hz, wall_hz_max));
  if (how.goroutines_each < 1 || how.goroutines_each > wall_goroutines_max)
    return fail(bad_option("goroutines_each", how.goroutines_each, wall_goroutines_max));
  const std::lock_guard<mutex> held(lock_);
  if (on_) return fail(prof::already_profiling);
  how_ = how;
  sums_.clear();
  looks_ = 0;
  stop_asked_.store(0, relaxed);
  ended_.store(0, relaxed);
  begin_reading_labels();
  begun_ns_ = os::realtime_ns();
  begun_mono_ns_ = os::monotonic_ns();
  const int number = os::start_thread([](void* self) { static_cast<wall_sampler*>(self)->watch(); },
                                      this, wall_stack_bytes, "weft-wall", false);
  if (number != 0) {
    end_reading_labels();
    return fail(error(std::error_code(number, std::generic_category()), "prof: no thread"));
  }
  // It wakes nobody: a deadlock is one while it looks on.
  sched.quiet_threads.fetch_add(1, relaxed);
  on_ = true;
  return {};
}

void wall_sampler::watch() {
  const int64_t period = 1'000'000'000 / how_.rate_hz;
  int64_t before = begun_mono_ns_;
  for (;;) {
    os::futex_wait(stop_asked_, 0, period);
    const bool last = stop_asked_.load(acquire) != 0;
    const int64_t now = os::monotonic_ns();
    look(now - before);
    before = now;
    if (last) break;
  }
  ended_mono_ns_ = before;
  ended_.store(1, release);
  os::futex_wake(ended_, 1);
}

void wall_sampler::look(int64_t passed_ns) {
  const uint32_t cells = goroutine_cells();
  if (cells == 0) return;
  const uint32_t window = std::min(cells, static_cast<uint32_t>(how_.goroutines_each));
  const double stands_for = static_cast<double>(cells) / window;
  for (uint32_t n = 0; n < window; ++n) {
    if (next_cell_ >= cells) next_cell_ = 0;
    if (!look_at(all_goroutine(next_cell_++), false, seen_)) continue;
    wall_key key;
    key.labels = seen_.labels;
    key.state = seen_.g.status == g_status::waiting ? wait_reason_text(seen_.g.reason)
                                                    : state_name(seen_.g.status);
    key.unborn = (seen_.g.flags & flag_unborn) != 0;
    key.pcs = seen_.pcs;
    wall_sum& sum = sums_[std::move(key)];
    sum.looks += stands_for;
    sum.ns += stands_for * static_cast<double>(passed_ns);
    ++looks_;
  }
}

profile wall_sampler::make_profile() const {
  profile p;
  p.name = "wall";
  p.types = {{"samples", "count"}, {"wall", "nanoseconds"}};
  p.period_type = {"wall", "nanoseconds"};
  p.period = 1'000'000'000 / how_.rate_hz;
  p.time_ns = begun_ns_;
  p.duration_ns = ended_mono_ns_ - begun_mono_ns_;
  for (const auto& [key, sum] : sums_) {
    profile_stack stack;
    stack.pcs = key.pcs;
    if (stack.pcs.empty()) stack.pcs.push_back(pc_none);
    if (key.unborn) stack.pcs.insert(stack.pcs.begin(), pc_not_begun);
    stack.exact = key.unborn || key.state == "running";
    for (uint32_t i = 0; key.labels != nullptr && i < key.labels->count; ++i)
      stack.labels.emplace_back(key.labels->pairs()[i].key, key.labels->pairs()[i].value);
    stack.labels.emplace_back("state", key.state);
    p.add(std::move(stack),
          {static_cast<int64_t>(sum.looks + 0.5), static_cast<int64_t>(sum.ns + 0.5)});
  }
  return p;
}

result<prof::cpu_summary> wall_sampler::stop(prof::sink to, prof::form form) {
  const std::lock_guard<mutex> held(lock_);
  if (!on_) return fail(prof::not_profiling);
  stop_asked_.store(1, release);
  os::futex_wake(stop_asked_, 1);
  while (ended_.load(acquire) == 0) os::futex_wait(ended_, 0, -1);
  sched.quiet_threads.fetch_sub(1, relaxed);
  on_ = false;
  const profile p = make_profile();
  sums_.clear();
  end_reading_labels();
  prof::cpu_summary summary;
  summary.samples = looks_;
  summary.duration = std::chrono::nanoseconds(p.duration_ns);
  if (result<void> written = write_profile(p, to, form); !written) return fail(written.error());
  return summary;
}

}  // namespace

}  // namespace weft::rt

namespace weft::prof {

result<void> start_wall(const wall_options& how) { return rt::the_wall_sampler().start(how); }
result<cpu_summary> stop_wall(sink to, form how) { return rt::the_wall_sampler().stop(to, how); }

}  // namespace weft::prof
