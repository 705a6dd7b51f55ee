// SPDX-License-Identifier: Apache-2.0
// Durations of any unit to nanoseconds, and deadlines, without overflow.
#pragma once

#include <cstdint>
#include <type_traits>

#include "weft/base/chrono.hpp"

namespace weft::rt {

/// What is given as a time and has no unit.
template <class N>
concept number = std::is_arithmetic_v<N>;

/// Longer than any program runs, and below the value that means "no timer".
inline constexpr int64_t latest_ns = INT64_MAX - 1;

template <class Rep, class Period>
[[nodiscard]] constexpr int64_t saturating_ns(std::chrono::duration<Rep, Period> d) noexcept {
  // Seconds that 64 bits of nanoseconds can hold, rounded down.
  constexpr double seconds_max = 9.2e9;
  const double seconds = std::chrono::duration<double>(d).count();
  if (seconds > seconds_max) return latest_ns;
  if (seconds < -seconds_max) return -latest_ns;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

[[nodiscard]] constexpr int64_t deadline_after(int64_t now_ns, int64_t duration_ns) noexcept {
  if (duration_ns <= 0) return now_ns;
  return duration_ns >= latest_ns - now_ns ? latest_ns : now_ns + duration_ns;
}

}  // namespace weft::rt
