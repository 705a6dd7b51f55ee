// SPDX-License-Identifier: Apache-2.0
// Nobody watches the modelled world: what is never set is no operation to explore.
#pragma once

#include <cstdint>

namespace weft::rt {

class watch_word {
 public:
  [[nodiscard]] static constexpr uint32_t now() noexcept { return 0; }
  void set(uint32_t) noexcept {}
  void clear(uint32_t) noexcept {}
};

}  // namespace weft::rt
