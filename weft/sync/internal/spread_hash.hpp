// SPDX-License-Identifier: Apache-2.0
// What the concurrent maps do with users' hashes.
#pragma once

#include <cstdint>

namespace weft::rt {

/// Identity, which std::hash is for integers, would put neighbours into few stripes: spread it.
[[nodiscard]] inline uint64_t spread_hash(uint64_t hash) noexcept {
  hash *= 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  return hash ^ (hash >> 32);
}

/// Hash and equality that take other types than the key's.
template <class T>
concept transparent = requires { typename T::is_transparent; };

}  // namespace weft::rt
