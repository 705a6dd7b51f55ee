// SPDX-License-Identifier: Apache-2.0
// Bits that say who watches: read everywhere, hardly ever written. Reading is a plain load, orders
// nothing, and may be a moment late.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt {

class watch_word {
 public:
  [[nodiscard]] uint32_t now() const noexcept { return word_.load(relaxed); }
  /// release: what the watcher has prepared; partner: an acquire of that, by who saw the bit.
  void set(uint32_t bits) noexcept { word_.fetch_or(bits, release); }
  void clear(uint32_t bits) noexcept { word_.fetch_and(~bits, relaxed); }

 private:
  atomic<uint32_t> word_{0};
};

}  // namespace weft::rt
