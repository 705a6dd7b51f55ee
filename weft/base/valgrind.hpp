// SPDX-License-Identifier: Apache-2.0
// What valgrind must know: where stacks are, or it takes a switch for one enormous frame. Emitted
// in every build, where slots are carved: a dozen instructions that do nothing without valgrind.
//
// Rejected: valgrind's own header (a build dependency for a user who may never run it); nothing
// (--max-stackframe hides the warnings and leaves the wrong picture).
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include "weft/base/arch/x86_64/valgrind.hpp"
#elif defined(__aarch64__)
#include "weft/base/arch/aarch64/valgrind.hpp"
#endif

namespace weft::rt {

// Numbers of valgrind's interface of client requests (valgrind.h); they never change.
inline constexpr uint64_t valgrind_running = 0x1001;
inline constexpr uint64_t valgrind_stack_register = 0x1501;

/// Valgrind emulates the CPU, keeps a shadow of all memory, and reads guard pages itself.
inline bool on_valgrind() noexcept {
  return arch::valgrind_request({valgrind_running, 0, 0, 0, 0, 0}) != 0;
}
/// [lo, hi) is a stack for as long as the process lives.
inline void tell_valgrind_of_stack(uintptr_t lo, uintptr_t hi) noexcept {
  (void)arch::valgrind_request({valgrind_stack_register, lo, hi - 1, 0, 0, 0});
}

}  // namespace weft::rt
