// SPDX-License-Identifier: Apache-2.0
// What a map and an atomic value answer when nobody else is there. A map's histories are checked
// key by key; clear() is an operation of every key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "checker.hpp"

namespace linear {

enum class map_call : uint8_t {
  load,
  store,
  load_or_store,
  load_and_delete,
  erase,
  swap,
  compare_and_swap,
  compare_and_delete,
  insert,
  clear
};

struct map_op {
  map_call call;
  int key = 0;
  int value = 0;     // given: to store, to swap in
  int expected = 0;  // given: to compare with
  /// Answered: what was there. For calls that answer yes or no: `ok`.
  std::optional<int> was{};
  bool ok = false;
};

/// One key.
struct map_model {
  std::optional<int> now{};

  bool apply(const map_op& op) {
    switch (op.call) {
      case map_call::load:
        return op.was == now;
      case map_call::store:
        now = op.value;
        return true;
      case map_call::load_or_store:
        if (op.was != now) return false;
        if (!now) now = op.value;
        return true;
      case map_call::load_and_delete:
        if (op.was != now) return false;
        now.reset();
        return true;
      case map_call::erase:
        if (op.ok != now.has_value()) return false;
        now.reset();
        return true;
      case map_call::swap:
        if (op.was != now) return false;
        now = op.value;
        return true;
      case map_call::compare_and_swap:
        if (op.ok != (now == op.expected)) return false;
        if (op.ok) now = op.value;
        return true;
      case map_call::compare_and_delete:
        if (op.ok != (now == op.expected)) return false;
        if (op.ok) now.reset();
        return true;
      case map_call::insert:
        if (op.ok == now.has_value()) return false;
        if (op.ok) now = op.value;
        return true;
      case map_call::clear:
        now.reset();
        return true;
    }
    return false;
  }
  bool operator==(const map_model&) const = default;
  [[nodiscard]] size_t hash() const noexcept {
    return now ? static_cast<size_t>(*now) * 0x9e3779b97f4a7c15 + 1 : 0;
  }
};

}  // namespace linear
