// SPDX-License-Identifier: Apache-2.0
// Walking all cells, and grouping by stack.
#include "weft/observe/goroutine_list.hpp"

#include <map>
#include <string>
#include <unordered_map>

#include "weft/base/os/os.hpp"
#include "weft/observe/internal/look.hpp"
#include "weft/sched/internal/label_set.hpp"
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

class collector {
 public:
  explicit collector(const goroutine_list_options& how) : how_(how) {}

  void add(const goroutine* gp) {
    if (!look_at(gp, how_.system, seen_)) return;
    const goroutine_snapshot& g = seen_.g;
    key_.clear();
    key_.push_back(static_cast<uintptr_t>(g.status) << 8 | static_cast<uintptr_t>(g.reason));
    const label_set* labels = seen_.labels;
    key_.push_back(number_of(labels));
    key_.insert(key_.end(), seen_.pcs.begin(), seen_.pcs.end());
    const auto [at, fresh] = by_key_.try_emplace(key_, groups_.size());
    if (fresh) {
      goroutine_group group;
      group.pcs = seen_.pcs;
      group.unborn = (g.flags & flag_unborn) != 0;
      group.state = state_name(g.status);
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
  /// The same for sets that say the same: each scope makes one of its own.
  size_t number_of(const label_set* labels) {
    if (labels == nullptr) return 0;
    const auto [at, fresh] = number_of_set_.try_emplace(labels, 0);
    if (!fresh) return at->second;
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < labels->count; ++i) {
      texts.emplace_back(labels->pairs()[i].key);
      texts.emplace_back(labels->pairs()[i].value);
    }
    at->second =
        number_of_texts_.try_emplace(std::move(texts), number_of_texts_.size() + 1).first->second;
    return at->second;
  }

  const goroutine_list_options how_;
  const int64_t now_ = os::monotonic_ns();
  seen_goroutine seen_{};
  std::vector<uintptr_t> key_;
  std::unordered_map<const label_set*, size_t> number_of_set_;
  std::map<std::vector<std::string>, size_t> number_of_texts_;
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
