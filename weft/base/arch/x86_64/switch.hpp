// SPDX-License-Identifier: Apache-2.0
// x86-64: the switch. Inline, with every register a clobber, so the compiler saves only what lives;
// a jump and no return, so the return predictor is not fooled.
#pragma once

#include "weft/base/arch/x86_64/frame.hpp"

namespace weft::rt::arch {

/// Parks the running context (its stack pointer goes to `*save_sp`) and resumes the one whose
/// stack pointer is `load_sp`. Returns when somebody resumes this one, maybe on another thread.
inline __attribute__((always_inline)) void switch_stacks(uintptr_t* save_sp,
                                                         uintptr_t load_sp) noexcept {
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"  // step over the red zone: the compiler may be using it
      "pushq %%rbp\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "movq %%rsp, (%%rdi)\n\t"
      "movq %%rsi, %%rsp\n\t"
      "popq %%rax\n\t"
      "popq %%rbp\n\t"
      "jmpq *%%rax\n\t"
      ".p2align 4\n\t"
      "1:\n\t"
      "leaq 128(%%rsp), %%rsp\n\t"
      : "+D"(save_sp), "+S"(load_sp)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
}

/// MXCSR and the x87 control word.
struct fp_control {
  uint32_t mxcsr;
  uint16_t x87;
  uint16_t unused;
  /// Status flags in MXCSR are sticky results, not settings: they do not force a reload.
  [[nodiscard]] bool same_settings(const fp_control& other) const noexcept {
    return ((mxcsr ^ other.mxcsr) & 0xffc0u) == 0 && x87 == other.x87;
  }
};
static_assert(sizeof(fp_control) == 8);

inline fp_control read_fp_control() noexcept {
  fp_control now{};
  asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(now.mxcsr), "=m"(now.x87));
  return now;
}
inline void load_fp_control(const fp_control& wanted) noexcept {
  asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(wanted.mxcsr), "m"(wanted.x87));
}

inline void spin_hint() noexcept { asm volatile("pause" ::: "memory"); }

}  // namespace weft::rt::arch
