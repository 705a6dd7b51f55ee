// SPDX-License-Identifier: Apache-2.0
// x86-64: the switch. Inline, with every register a clobber, so the compiler saves only what lives;
// a jump and no return, so the return predictor is not fooled.
//
// %rbp cannot be a clobber where frame pointers are kept: it travels in the saved frame. The x87
// stack is a clobber too: a long double may live there across an inlined switch.
#pragma once

#include "weft/base/arch/x86_64/frame.hpp"

// Registers that a compiler uses only when it is told that the CPU has them.
#if defined(__AVX512F__)
#define WEFT_AVX512_CLOBBERS                                                                      \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",     \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define WEFT_AVX512_CLOBBERS
#endif
#if defined(__APX_F__)
#error "weft: the switch does not save r16-r31; build without -mapxf"
#endif

namespace weft::rt::arch {

/// Parks the running context (its stack pointer goes to `*save_sp`) and resumes the one whose
/// stack pointer is `load_sp`. Returns when somebody resumes this one, maybe on another thread.
/// The caller's frame must be plain: no alloca, no over-aligned locals.
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
        "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
        "st(6)", "st(7)", "memory", "cc" WEFT_AVX512_CLOBBERS);
}
#undef WEFT_AVX512_CLOBBERS

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

/// Stores field by field where they stay: a copy of the whole struct right after would wait for
/// both stores to leave the store buffer. (yield: some 19 ns with the copy, 17-19 without.)
inline void save_fp_control(fp_control& into) noexcept {
  asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(into.mxcsr), "=m"(into.x87));
}
inline fp_control read_fp_control() noexcept {
  fp_control now{};
  save_fp_control(now);
  return now;
}
inline void load_fp_control(const fp_control& wanted) noexcept {
  asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(wanted.mxcsr), "m"(wanted.x87));
}

inline void spin_hint() noexcept { asm volatile("pause" ::: "memory"); }

}  // namespace weft::rt::arch
