// SPDX-License-Identifier: Apache-2.0
// Is a recorded history linearizable? That is: can its operations be put into one order, each at a
// moment between its call and its return, in which a sequential object gives the same answers?
//
// The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) with Lowe's
// memory of configurations that led nowhere ("Testing for linearizability", 2017). Histories of
// several objects are checked object by object: linearizability is local (Herlihy and Wing, 1990),
// and it turns one search of 2^n into several small ones.
//
// A model is a value: `bool apply(const Op&)` changes it as the operation would, or says that the
// operation's answer is impossible now; operator== and `size_t hash()` serve the memory.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

namespace linear {

/// More make the search long; porcupine's users keep to about as many for each object.
inline constexpr size_t operations_max = 256;

/// One operation that has returned. Of two moments the smaller came first; no two are equal.
template <class Op>
struct timed {
  uint64_t called;
  uint64_t returned;
  Op op;
};
template <class Op>
using history = std::vector<timed<Op>>;

/// Moments in the order of time, with a call and a return each.
template <class Op, class Model>
class search {
 public:
  search(const history<Op>& ops, Model initial) : ops_(ops), state_(std::move(initial)) {
    if (ops.size() > operations_max) throw std::length_error("linear: more than 256 operations");
    for (size_t i = 0; i < ops.size(); ++i) {
      moments_.push_back({ops[i].called, i, true});
      moments_.push_back({ops[i].returned, i, false});
    }
    std::sort(moments_.begin(), moments_.end(),
              [](const moment& a, const moment& b) { return a.when < b.when; });
    call_at_.resize(ops.size());
    return_at_.resize(ops.size());
    const size_t n = moments_.size();
    for (size_t i = 0; i < n; ++i)
      (moments_[i].is_call ? call_at_ : return_at_)[moments_[i].operation] = i;
    // A ring of what is left; index n is its head.
    next_.resize(n + 1);
    previous_.resize(n + 1);
    for (size_t i = 0; i <= n; ++i) {
      next_[i] = (i + 1) % (n + 1);
      previous_[i] = (i + n) % (n + 1);
    }
  }

  bool run() {
    const size_t head = moments_.size();
    size_t at = next_[head];
    while (next_[head] != head) {
      if (moments_[at].is_call) {
        at = place(moments_[at].operation) ? next_[head] : next_[at];
        continue;
      }
      // Something returned here that could not be placed before: the last choice was wrong.
      if (placed_.empty()) return false;
      at = next_[take_back()];
    }
    return true;
  }

 private:
  struct moment {
    uint64_t when;
    size_t operation;
    bool is_call;
  };
  struct configuration {
    std::bitset<operations_max> done;
    Model state;
    bool operator==(const configuration&) const = default;
  };
  struct choice {
    size_t operation;
    Model before;
  };

  bool place(size_t operation) {
    Model after = state_;
    if (!after.apply(ops_[operation].op)) return false;
    std::bitset<operations_max> done = done_;
    done.set(operation);
    std::vector<configuration>& seen =
        seen_[std::hash<std::bitset<operations_max>>{}(done) ^ after.hash()];
    const configuration reached{done, after};
    if (std::find(seen.begin(), seen.end(), reached) != seen.end()) return false;
    seen.push_back(reached);
    placed_.push_back({operation, std::exchange(state_, std::move(after))});
    done_ = done;
    unlink(call_at_[operation]);
    unlink(return_at_[operation]);
    return true;
  }

  /// Returns where its call is.
  size_t take_back() {
    choice last = std::move(placed_.back());
    placed_.pop_back();
    state_ = std::move(last.before);
    done_.reset(last.operation);
    relink(return_at_[last.operation]);
    relink(call_at_[last.operation]);
    return call_at_[last.operation];
  }

  void unlink(size_t at) noexcept {
    next_[previous_[at]] = next_[at];
    previous_[next_[at]] = previous_[at];
  }
  void relink(size_t at) noexcept { next_[previous_[at]] = previous_[next_[at]] = at; }

  const history<Op>& ops_;
  Model state_;
  std::vector<moment> moments_;
  std::vector<size_t> call_at_, return_at_, next_, previous_;
  std::bitset<operations_max> done_;
  std::vector<choice> placed_;
  /// By hash: what was reached before, and so leads nowhere.
  std::unordered_map<size_t, std::vector<configuration>> seen_;
};

template <class Op, class Model>
[[nodiscard]] bool is_linearizable(const history<Op>& ops, Model initial) {
  return search<Op, Model>(ops, std::move(initial)).run();
}

/// Object by object: `key_of(op)` says which one an operation is of.
template <class Op, class Model, class KeyOf>
[[nodiscard]] bool is_linearizable(const history<Op>& ops, const Model& initial, KeyOf key_of) {
  std::map<decltype(key_of(ops.front().op)), history<Op>> parts;
  for (const timed<Op>& one : ops) parts[key_of(one.op)].push_back(one);
  return std::all_of(parts.begin(), parts.end(),
                     [&](const auto& part) { return is_linearizable(part.second, initial); });
}

}  // namespace linear
