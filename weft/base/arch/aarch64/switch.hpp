// SPDX-License-Identifier: Apache-2.0
// AArch64: the switch. Inline, with every register a clobber, so the compiler saves only what
// lives; a jump and no return, so the return predictor is not fooled.
//
// x29 cannot be a clobber where frame pointers are kept: it travels in the saved frame. x18 is an
// ordinary register on Linux. The callee-saved d8-d15 are among v8-v15.
#pragma once

#include "weft/base/arch/aarch64/frame.hpp"

// With SVE the compiler may also keep predicates; z0-z31 are v0-v31 to it.
#if defined(__ARM_FEATURE_SVE)
#define WEFT_SVE_CLOBBERS                                                                        \
  , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", \
      "p15"
#else
#define WEFT_SVE_CLOBBERS
#endif

namespace weft::rt::arch {

/// Parks the running context (its stack pointer goes to `*save_sp`) and resumes the one whose
/// stack pointer is `load_sp`. Returns when somebody resumes this one, maybe on another thread.
/// The caller's frame must be plain: no alloca, no over-aligned locals.
inline __attribute__((always_inline)) void switch_stacks(uintptr_t* save_sp,
                                                         uintptr_t load_sp) noexcept {
  register uintptr_t* save asm("x0") = save_sp;
  register uintptr_t load asm("x1") = load_sp;
  asm volatile(
      "adr x9, 1f\n\t"
      "stp x9, x29, [sp, #-16]!\n\t"
      "mov x10, sp\n\t"
      "str x10, [x0]\n\t"
      "mov sp, x1\n\t"
      "ldp x16, x29, [sp], #16\n\t"
      "br x16\n\t"  // x16: also accepted by a landing pad for calls (BTI)
      ".p2align 4\n\t"
      "1:\n\t"
      "hint #36\n\t"  // bti j
      : "+r"(save), "+r"(load)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
        "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28",
        "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",
        "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
        "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc" WEFT_SVE_CLOBBERS);
}
#undef WEFT_SVE_CLOBBERS

/// FPCR: rounding, flush to zero, traps. The sticky results are in FPSR, which does not travel.
struct fp_control {
  uint64_t fpcr;
  [[nodiscard]] bool same_settings(const fp_control& other) const noexcept {
    return fpcr == other.fpcr;
  }
};
static_assert(sizeof(fp_control) == 8);

inline void save_fp_control(fp_control& into) noexcept {
  asm volatile("mrs %0, fpcr" : "=r"(into.fpcr));
}
inline fp_control read_fp_control() noexcept {
  fp_control now{};
  save_fp_control(now);
  return now;
}
inline void load_fp_control(const fp_control& wanted) noexcept {
  asm volatile("msr fpcr, %0" : : "r"(wanted.fpcr));
}

/// isb, not yield: most cores execute yield as a nop, and then a spin of 100 rounds is none.
inline void spin_hint() noexcept { asm volatile("isb" ::: "memory"); }

}  // namespace weft::rt::arch
