// SPDX-License-Identifier: Apache-2.0
// The profiles that are a state, one function each.
#pragma once

#include "weft/observe/internal/profile.hpp"

namespace weft::rt {

[[nodiscard]] profile goroutine_profile();
/// `heap`, or `allocs`: the same with another default.
[[nodiscard]] profile heap_profile_now(const char* name);
[[nodiscard]] profile threads_profile();

}  // namespace weft::rt
