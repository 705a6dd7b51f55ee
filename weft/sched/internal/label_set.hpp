// SPDX-License-Identifier: Apache-2.0
// What weft::prof::labels holds: shared between goroutines, and read by the profiler's signal
// handler on the thread that runs one of them.
//
// A goroutine with labels has flag_labels, and a reference in its top. A sample keeps the address
// only; so while label_readers is not 0, a set without references waits on a list, and is freed
// when the last reader has gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weft/base/atomic.hpp"
#include "weft/sched/internal/goroutine.hpp"

namespace weft::rt {

/// Immutable but for the count and the link. Behind it lie `count` pairs of key and value, by key.
struct label_set {
  struct pair {
    std::string_view key, value;
  };
  atomic<uint32_t> references{1};
  uint32_t count = 0;
  label_set* next_retired = nullptr;
  [[nodiscard]] const pair* pairs() const noexcept {
    return reinterpret_cast<const pair*>(this + 1);
  }
};

/// Copies keys and values; `pairs` are sorted by key, each key once. Throws std::bad_alloc.
[[nodiscard]] label_set* make_label_set(const label_set::pair* pairs, size_t count);
void retain_labels(label_set* set) noexcept;   // null: nothing
void release_labels(label_set* set) noexcept;  // null: nothing

/// Those of a goroutine or guest; null: none. Its own thread, or while it cannot run.
[[nodiscard]] inline label_set* labels_of(const goroutine* gp) noexcept {
  return (gp->flags & flag_labels) != 0 && gp->top != nullptr ? gp->top->labels : nullptr;
}
/// Gives the current goroutine a set, whose reference it takes over. Returns the one before, with
/// its reference.
[[nodiscard]] label_set* exchange_labels(label_set* set) noexcept;
/// A new goroutine has its creator's labels. In the creator's section.
void inherit_labels(goroutine* gp, const goroutine* creator) noexcept;
/// It ends.
void drop_labels(goroutine* gp) noexcept;

/// Between the two, sets that were seen on a goroutine may be read although it has ended.
void begin_reading_labels() noexcept;
void end_reading_labels() noexcept;

}  // namespace weft::rt
