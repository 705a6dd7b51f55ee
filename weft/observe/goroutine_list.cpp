// SPDX-License-Identifier: Apache-2.0
// Walking all cells, and grouping by stack.
#include "weft/observe/goroutine_list.hpp"

#include <unordered_map>

#include "weft/base/os/os.hpp"
#include "weft/observe/internal/ask_thread.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/report.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

struct group_hash {
  size_t operator()(const std::vector<uintptr_t>& key) const noexcept {
    uint64_t h = key.size();
    for (const uintptr_t word : key) h = (h ^ word) * 0xBF58476D1CE4E5B9u + (h >> 29);
    return h;
  }
};

std::string_view state_of(g_status status) noexcept {
  if (status == g_status::running) return "running";
  return status == g_status::runnable ? "runnable" : "waiting";
}

const machine* machine_that_runs(const goroutine* gp) noexcept {
  for (const machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link)
    if (mp->cur.load(relaxed) == gp) return mp;
  return nullptr;
}

class collector {
 public:
  explicit collector(const goroutine_list_options& how) : how_(how) {}

  void add(const goroutine* gp) {
    const goroutine_snapshot g = take_snapshot(gp);
    if (g.id == 0 || g.status == g_status::dead || g.status == g_status::idle) return;
    if (g.status == g_status::guest || (g.flags & (flag_guest | flag_sim)) != 0) return;
    if (!how_.system && (g.flags & flag_system) != 0) return;
    stack_of(g);
    key_.clear();
    key_.push_back(static_cast<uintptr_t>(g.status) << 8 | static_cast<uintptr_t>(g.reason));
    // A set may be given up while this looks at it: label readers keep its memory.
    label_set* labels = (g.flags & flag_labels) != 0 && g.stack.lo != 0 ? gp_labels(gp) : nullptr;
    key_.push_back(reinterpret_cast<uintptr_t>(labels));
    key_.insert(key_.end(), pcs_.begin(), pcs_.end());
    const auto [at, fresh] = by_key_.try_emplace(key_, groups_.size());
    if (fresh) {
      goroutine_group group;
      group.pcs = pcs_;
      group.unborn = (g.flags & flag_unborn) != 0;
      group.state = state_of(g.status);
      if (g.status == g_status::waiting) group.reason = wait_reason_text(g.reason);
      if (labels != nullptr)
        for (uint32_t i = 0; i < labels->count; ++i)
          group.labels.emplace_back(labels->pairs()[i].key, labels->pairs()[i].value);
      group.creation_pc = g.creation_pc;
      group.name = g.name;
      groups_.push_back(std::move(group));
    }
    goroutine_group& group = groups_[at->second];
    ++group.count;
    if (group.ids.size() < how_.ids_max) group.ids.push_back(g.id);
    if (g.status == g_status::waiting && now_ - g.since_ns > group.oldest_ns)
      group.oldest_ns = now_ - g.since_ns;
  }

  std::vector<goroutine_group> take() { return std::move(groups_); }

 private:
  /// Its top may be another's by now; a stack's memory stays.
  static label_set* gp_labels(const goroutine* gp) noexcept {
    const goroutine_top* top = gp->top;
    return top != nullptr ? top->labels : nullptr;
  }

  void stack_of(const goroutine_snapshot& g) {
    pcs_.clear();
    if (g.status == g_status::running) {
      if (const machine* mp = machine_that_runs(g.cell); mp != nullptr)
        ask_thread(*mp, g.stack, pcs_);
      return;
    }
    if (!collect_parked(g, trace_)) return;
    const size_t shown = trace_.count < stack_trace::half ? trace_.count : stack_trace::half;
    for (size_t n = 0; n < shown; ++n) pcs_.push_back(trace_.at(n).pc);
  }

  const goroutine_list_options how_;
  const int64_t now_ = os::monotonic_ns();
  stack_trace trace_{};
  std::vector<uintptr_t> pcs_;
  std::vector<uintptr_t> key_;
  std::unordered_map<std::vector<uintptr_t>, size_t, group_hash> by_key_;
  std::vector<goroutine_group> groups_;
};

}  // namespace

std::vector<goroutine_group> goroutine_groups(const goroutine_list_options& how) {
  begin_reading_labels();
  struct reading {
    ~reading() { end_reading_labels(); }
  } const until_end;
  collector all(how);
  const uint32_t cells = goroutine_cells();
  for (uint32_t i = 0; i < cells; ++i) all.add(all_goroutine(i));
  return all.take();
}

}  // namespace weft::rt
