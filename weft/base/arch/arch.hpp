// SPDX-License-Identifier: Apache-2.0
// What each architecture fills, specified once. Everything else in Weft is portable C++.
//
//   saved_frame        what lies at a parked context's stack pointer (frame.hpp, same folder)
//   switch_stacks      parks the running context and resumes another one (switch.hpp)
//   fp_control         the floating-point control words a context carries
//   spin_hint          tells the CPU that this is a spin loop
//   weft_goroutine_entry   first instruction of every goroutine (entry.S); calls
//                          weft_goroutine_start() and never returns
#pragma once

#include <concepts>
#include <cstdint>

#if defined(__x86_64__)
#include "weft/base/arch/x86_64/switch.hpp"
#elif defined(__aarch64__)
#include "weft/base/arch/aarch64/switch.hpp"
#else
#error "weft: x86-64 and AArch64 only; see docs/guide/porting.md"
#endif

extern "C" {
/// Assembly; first resume of a new context lands here with an empty, 16-byte aligned stack. Its
/// return address is marked undefined, so every unwinder stops.
void weft_goroutine_entry();
/// C++, defined by sched: runs the goroutine that is current on this thread; never returns.
[[noreturn]] void weft_goroutine_start();
}

namespace weft::rt {

namespace arch {
/// Rounds of a loop that spins before it sleeps. The model checker's own header makes them few, so
/// that it sees the sleep.
constexpr int spin_rounds(int rounds) noexcept { return rounds; }
}  // namespace arch

template <class Frame>
concept saved_frame_like = requires(Frame f) {
  { f.pc } -> std::convertible_to<uintptr_t>;
  { f.fp } -> std::convertible_to<uintptr_t>;
} && sizeof(Frame) == 16;
static_assert(saved_frame_like<arch::saved_frame>);

/// Makes a context that enters weft_goroutine_entry when first resumed. `stack_top` is 16-byte
/// aligned; returns the stack pointer to give to switch_stacks.
inline uintptr_t make_context(uintptr_t stack_top) noexcept {
  auto* frame = reinterpret_cast<arch::saved_frame*>(stack_top - sizeof(arch::saved_frame));
  frame->pc = reinterpret_cast<uintptr_t>(&weft_goroutine_entry);
  frame->fp = 0;
  return reinterpret_cast<uintptr_t>(frame);
}

}  // namespace weft::rt
