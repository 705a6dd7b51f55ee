// SPDX-License-Identifier: Apache-2.0
// Stacks into a tree: one node for each distinct path from a root.
#include "flame_graph.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

namespace weft_command {

namespace {

class tree_builder {
 public:
  void add(const profile& from, size_t type, bool other) {
    std::vector<uint32_t> known;  // our number of each of its functions
    known.reserve(from.functions.size());
    for (const profile_function& f : from.functions) known.push_back(intern(f));
    for (const profile_sample& s : from.samples) {
      const int64_t value = s.values[type];
      if (value == 0) continue;
      uint32_t at = 0;
      for (size_t i = s.locations.size(); i-- > 0;) {
        const std::vector<profile_line>& lines = from.locations[s.locations[i]].lines;
        for (size_t j = lines.size(); j-- > 0;)
          at = child(at, known[lines[j].function], j + 1 != lines.size());
      }
      (other ? nodes_[at].frame.other_self : nodes_[at].frame.self) += value;
    }
  }

  flame_graph finish() {
    // Children come after their parents.
    for (size_t i = nodes_.size(); i-- > 0;) {
      node& n = nodes_[i];
      n.frame.value += n.frame.self;
      n.frame.other += n.frame.other_self;
      if (i == 0) continue;
      nodes_[n.parent].frame.value += n.frame.value;
      nodes_[n.parent].frame.other += n.frame.other;
      nodes_[n.parent].children.push_back(static_cast<uint32_t>(i));
    }
    out_.total = nodes_[0].frame.value;
    out_.other_total = nodes_[0].frame.other;
    std::vector<uint32_t> open{0};
    out_.frames.reserve(nodes_.size());
    while (!open.empty()) {
      node& n = nodes_[open.back()];
      open.pop_back();
      if (n.frame.depth != 0) out_.frames.push_back(n.frame);
      // The last one pushed comes next, so the smallest goes first.
      std::ranges::sort(n.children, [this](uint32_t a, uint32_t b) { return before(b, a); });
      open.insert(open.end(), n.children.begin(), n.children.end());
    }
    return std::move(out_);
  }

 private:
  struct node {
    flame_frame frame;
    uint32_t parent = 0;
    std::vector<uint32_t> children;
  };

  uint32_t intern(const profile_function& f) {
    const auto [at, fresh] =
        functions_.emplace(f.name + '\0' + f.file, static_cast<uint32_t>(out_.functions.size()));
    if (fresh) out_.functions.push_back(f);
    return at->second;
  }

  uint32_t child(uint32_t parent, uint32_t function, bool inlined) {
    const uint64_t key = uint64_t{parent} << 32 | function;
    const auto [at, fresh] = edges_.emplace(key, static_cast<uint32_t>(nodes_.size()));
    if (fresh) {
      node& made = nodes_.emplace_back();
      made.parent = parent;
      made.frame.depth = nodes_[parent].frame.depth + 1;
      made.frame.function = function;
      made.frame.inlined = inlined;
    }
    return at->second;
  }

  /// Larger ones first, then by name, so that equal profiles give equal graphs.
  [[nodiscard]] bool before(uint32_t a, uint32_t b) const {
    const flame_frame& x = nodes_[a].frame;
    const flame_frame& y = nodes_[b].frame;
    const int64_t larger_x = std::max(x.value, x.other);
    const int64_t larger_y = std::max(y.value, y.other);
    if (larger_x != larger_y) return larger_x > larger_y;
    const profile_function& f = out_.functions[x.function];
    const profile_function& g = out_.functions[y.function];
    return f.name != g.name ? f.name < g.name : f.file < g.file;
  }

  flame_graph out_;
  std::vector<node> nodes_{1};  // the first is the root of all
  std::unordered_map<std::string, uint32_t> functions_;
  std::unordered_map<uint64_t, uint32_t> edges_;
};

}  // namespace

void prune(flame_graph& graph, size_t frames_max) {
  const auto size = [](const flame_frame& f) { return std::max(f.value, f.other); };
  int64_t least = std::max<int64_t>(1, std::max(graph.total, graph.other_total) / 10'000'000);
  while (graph.frames.size() > frames_max) {
    uint32_t cut = 0;  // what is deeper than that is below one that was left out; 0: nothing is
    std::erase_if(graph.frames, [&](const flame_frame& f) {
      if (cut != 0 && f.depth > cut) return true;
      cut = size(f) < least ? f.depth : 0;
      return cut != 0;
    });
    graph.pruned_below = least;
    if (least > std::numeric_limits<int64_t>::max() / 2) break;
    least += least / 4 + 1;
  }
}

weft::result<flame_graph> make_flame_graph(const profile& now, size_t sample_type,
                                           const profile* before) {
  tree_builder tree;
  tree.add(now, sample_type, false);
  if (before != nullptr) {
    const weft::result<size_t> same = before->find_sample_type(now.sample_types[sample_type].type);
    if (!same) return weft::fail(weft::error::wrap("the other profile", same.error()));
    tree.add(*before, *same, true);
  }
  flame_graph out = tree.finish();
  out.measure = now.sample_types[sample_type];
  out.compared = before != nullptr;
  return out;
}

}  // namespace weft_command
