// SPDX-License-Identifier: Apache-2.0
// The production switch; a pause lets other simulated threads run.
#pragma once
#pragma GCC system_header

#define spin_hint production_spin_hint
#define spin_rounds production_spin_rounds
#include_next "weft/base/arch/arch.hpp"
#undef spin_hint
#undef spin_rounds

#include "tests/model/checker/checker.hpp"

namespace weft::rt::arch {
inline void spin_hint() noexcept { model::yield(); }
constexpr int spin_rounds(int) noexcept { return 1; }
}  // namespace weft::rt::arch
