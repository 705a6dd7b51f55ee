// SPDX-License-Identifier: Apache-2.0
// AArch64: what a parked context leaves at its saved stack pointer.
//
//   saved sp ->  +0  pc   where to go on (a label inside switch_stacks, or weft_goroutine_entry)
//                +8  fp   x29
//               +16  the frame of the function that switched (Linux has no red zone here)
//
// All other registers are clobbers of the inline assembly: the compiler has spilled what it needs,
// at offsets its CFI describes relative to x29.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::rt::arch {

struct saved_frame {
  uintptr_t pc;
  uintptr_t fp;
};
static_assert(offsetof(saved_frame, pc) == 0 && offsetof(saved_frame, fp) == 8);

/// Stack pointer of the parked function itself, given the saved one.
inline constexpr size_t saved_frame_skip = sizeof(saved_frame);
/// What a call leaves on the stack: at a function's first instruction, sp + call_bytes is a
/// multiple of 16.
inline constexpr size_t call_bytes = 0;
/// DWARF register numbers of pc, frame pointer and stack pointer; the return address is in 30.
inline constexpr int dwarf_pc = 32, dwarf_fp = 29, dwarf_sp = 31;

}  // namespace weft::rt::arch
