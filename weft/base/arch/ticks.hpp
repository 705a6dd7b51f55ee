// SPDX-License-Identifier: Apache-2.0
// The CPU's own clock: a counter of constant rate, read in a few nanoseconds.
#pragma once

#include <cstdint>

namespace weft::rt::arch {

#if defined(__x86_64__)
/// The time stamp counter. The same on all CPUs only where the kernel trusts it, too (os.hpp,
/// ticks_are_time()). Not ordered with what stands around it.
inline uint64_t ticks() noexcept { return __builtin_ia32_rdtsc(); }
/// Not before the loads that stand in front of it have their values.
inline uint64_t ticks_after_loads() noexcept {
  __builtin_ia32_lfence();
  return ticks();
}
#else
/// The generic timer's virtual count (Arm ARM D12.2): one for the whole system.
inline uint64_t ticks() noexcept {
  uint64_t value = 0;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
}
/// Not before the loads that stand in front of it have their values.
inline uint64_t ticks_after_loads() noexcept {
  asm volatile("isb" ::: "memory");
  return ticks();
}
#endif

}  // namespace weft::rt::arch
