// SPDX-License-Identifier: Apache-2.0
// The untyped select: cases in, the chosen one out. select.cpp has the algorithm.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/export.hpp"
#include "weft/sync/internal/channel.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft::rt {

struct scase {
  enum class kind : uint8_t { recv, send, timer, otherwise };
  kind what = kind::otherwise;
  /// recv, send: null is the nil channel, never ready.
  hchan* c = nullptr;
  /// send: the value; recv: room for one.
  void* element = nullptr;
  /// timer: ready when select has waited that long.
  int64_t duration_ns = 0;
};

struct select_outcome {
  int index;
  /// ok, or closed: a receive that ended, or a send that must panic.
  chan_status status;
};

inline constexpr int select_cases_max = 65536;  // Go's limit

/// Room that select_go() needs, on the caller's stack where the number of cases is known.
template <int N>
struct select_room {
  scase cases[N];
  uint16_t order[2 * N];
  // Made only when it comes to waiting.
  alignas(sudog) std::byte waits[N * sizeof(sudog)];
};

/// May park, unless a case is `otherwise`. `waits` is room for n sudogs, `order` for 2 n indices.
[[nodiscard]] WEFT_API select_outcome select_go(scase* cases, std::byte* waits, uint16_t* order,
                                                int n) noexcept;
[[noreturn]] WEFT_API void select_nothing() noexcept;

}  // namespace weft::rt
