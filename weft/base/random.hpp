// SPDX-License-Identifier: Apache-2.0
// Pseudo-random numbers for choices of the runtime: steal order, select order, jitter. Never for
// secrets. wyrand (W. Yi, 2019): one multiplication a number, every seed is good.
#pragma once

#include <cstdint>

namespace weft::rt {

struct random_source {
  uint64_t state = 0;

  uint64_t next() noexcept {
    state += 0xa0761d6478bd642fu;
    wide product = static_cast<wide>(state) * (state ^ 0xe7037ed1a0b428dbu);
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  }
  /// A number below `bound` (not 0). Multiplies instead of dividing; the bias is below 2^-32.
  uint32_t below(uint32_t bound) noexcept {
    return static_cast<uint32_t>(((next() >> 32) * bound) >> 32);
  }

 private:
  __extension__ using wide = unsigned __int128;
};

}  // namespace weft::rt
