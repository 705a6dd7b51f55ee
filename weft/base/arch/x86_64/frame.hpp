// SPDX-License-Identifier: Apache-2.0
// x86-64: what a parked context leaves at its saved stack pointer.
//
//   saved sp ->  +0  pc   where to go on (a label inside switch_stacks, or weft_goroutine_entry)
//                +8  fp   %rbp
//               +16  128 bytes: the red zone of the function that switched
//
// All other registers are clobbers of the inline assembly: the compiler has spilled what it needs,
// at offsets its CFI describes relative to %rbp.
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
inline constexpr size_t saved_frame_skip = sizeof(saved_frame) + 128;
/// What a call leaves on the stack: at a function's first instruction, sp + call_bytes is a
/// multiple of 16.
inline constexpr size_t call_bytes = 8;
/// DWARF register numbers of pc, frame pointer and stack pointer.
inline constexpr int dwarf_pc = 16, dwarf_fp = 6, dwarf_sp = 7;

}  // namespace weft::rt::arch
