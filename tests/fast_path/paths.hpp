// SPDX-License-Identifier: Apache-2.0
// A hot path: a function that does one operation `count` times between two markers.
#pragma once

#include <cstdint>
#include <span>

namespace fast_path {

struct path {
  const char* name;
  /// Does its thing `count` times between begin() and end().
  void (*body)(int count);
  /// How many operations that thing is.
  int operations = 1;
};

/// False while a path only warms up. Written between paths.
inline bool counting = false;
/// The markers: breakpoints, which only the counter that traces this process understands.
inline __attribute__((always_inline)) void begin() noexcept {
  if (counting) asm volatile("int3" ::: "memory");
}
inline __attribute__((always_inline)) void end() noexcept { begin(); }

/// What the processor executed between the markers.
struct mix {
  int64_t instructions = 0;  // of the program itself: not of libc, nor of the kernel's vDSO
  int64_t locked = 0;        // of those: `lock`ed ones, exchanges with memory, full fences
  int64_t calls = 0;         // of those: calls
  int64_t outside = 0;       // ways out of the program, to libc or the vDSO
  int64_t syscalls = 0;      // wherever they stand
};

/// Those of one P, which nobody else can steal from, and those beside a second one.
std::span<const path> paths_alone();
std::span<const path> paths_shared();

/// Runs `body` in a child process, one instruction at a time between its markers; it hands `each`
/// one mix per pair of markers. Returns the child's wait status, or -1 if it cannot be traced.
int count_instructions(void (*body)(), void (*each)(const mix&));

}  // namespace fast_path
