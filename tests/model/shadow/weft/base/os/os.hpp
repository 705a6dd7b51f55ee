// SPDX-License-Identifier: Apache-2.0
// The production declarations, but for those that the checker sees: these tell it their place.
#pragma once
#pragma GCC system_header

#include "weft/base/atomic.hpp"  // before its names are changed

#define futex_wait unlocated_futex_wait
#define futex_wake unlocated_futex_wake
#define heavy_fence unlocated_heavy_fence
#include_next "weft/base/os/os.hpp"
#undef futex_wait
#undef futex_wake
#undef heavy_fence

namespace weft::rt::os {

inline futex_result futex_wait(atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns,
                               std::source_location at = std::source_location::current()) noexcept {
  return static_cast<futex_result>(model::futex_wait(word.address(), expected, timeout_ns, at));
}
inline int futex_wake(atomic<uint32_t>& word, int count,
                      std::source_location at = std::source_location::current()) noexcept {
  return model::futex_wake(word.address(), count, at);
}
inline void heavy_fence(std::source_location at = std::source_location::current()) noexcept {
  if (membarrier_active)
    model::heavy_fence(at);
  else
    fence(seq_cst, at);
}

}  // namespace weft::rt::os
