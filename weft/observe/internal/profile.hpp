// SPDX-License-Identifier: Apache-2.0
// A profile in memory: stacks with values, and what the values mean. Its two written forms are
// Go's: profile.proto (spec/pprof.md §2) and text (§6).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/observe/prof.hpp"

namespace weft::rt {

/// Stands in a stack for what has no code of its own. Less than any address.
enum pseudo_pc : uintptr_t {
  pc_none = 0,
  pc_lost,       // samples for which there was no room
  pc_system,     // the runtime's own work on no goroutine's behalf
  pc_external,   // a thread that the runtime does not know, and whose stack it could not read
  pc_not_begun,  // a goroutine that has not run yet
  pseudo_pc_count,
};

struct profile_stack {
  /// Innermost first. Return addresses, but for the first one if `exact`.
  std::vector<uintptr_t> pcs;
  bool exact = false;
  std::vector<std::pair<std::string, std::string>> labels;  // by key
  int64_t object_bytes = 0;  // the heap's numeric label `bytes`; 0: none
  auto operator<=>(const profile_stack&) const = default;
};

struct value_type {
  std::string type;
  std::string unit;
};

/// How the text form counts, beside the stacks.
enum class text_kind : uint8_t {
  count,       // `NAME profile: total N`
  heap,        // `heap profile: ...`, raw values
  contention,  // `--- contention:`, cycles and counts
  mutex,       // `--- mutex:`
};

struct profile {
  std::string name;
  std::vector<value_type> types;
  value_type period_type;
  int64_t period = 0;
  std::string default_type;  // empty: the last one
  int64_t time_ns = 0;       // since the epoch
  int64_t duration_ns = 0;   // 0: a state, not a time
  std::vector<std::string> comments;
  text_kind text = text_kind::count;
  int64_t sampling_period = 0;  // text of mutex and heap
  /// Frames of the runtime at the inner end are left out if others remain.
  bool hide_inner_runtime = false;
  /// Added values by stack. As many values as types.
  std::map<profile_stack, std::vector<int64_t>> samples;

  void add(profile_stack stack, std::vector<int64_t> values);
  /// Takes `before` away from it: what came since. Stacks without a difference go.
  void subtract(const profile& before);
};

/// The serialized message, not compressed.
[[nodiscard]] std::string to_proto(const profile& p);
[[nodiscard]] std::string to_text(const profile& p);
/// One of the two, compressed if it is the message.
[[nodiscard]] result<void> write_profile(const profile& p, prof::sink to, prof::form how);

}  // namespace weft::rt
