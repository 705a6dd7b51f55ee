// SPDX-License-Identifier: Apache-2.0
// The cheapest switch of stacks that we know: three words saved, the compiler saves what else it
// needs, a jump instead of a return. Written here anew, so that the floor does not lean on Weft's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

struct bare_context {
  uintptr_t sp = 0;
  uintptr_t frame = 0;
  uintptr_t pc = 0;

  /// The first switch to it enters body() on the stack that ends at `top`.
  void prepare(std::byte* top, void (*body)()) noexcept {
    sp = (reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15}) - 64;
#if defined(__x86_64__)
    sp -= 8;  // as after a call
#endif
    frame = 0;
    pc = reinterpret_cast<uintptr_t>(body);
  }
};

#if defined(__x86_64__)
[[gnu::always_inline]] inline void bare_switch(bare_context& from, bare_context& to) noexcept {
  bare_context* save = &from;
  bare_context* load = &to;
  asm volatile(
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rsp, 0(%0)\n\t"
      "movq %%rbp, 8(%0)\n\t"
      "movq %%rax, 16(%0)\n\t"
      "movq 0(%1), %%rsp\n\t"
      "movq 8(%1), %%rbp\n\t"
      "jmpq *16(%1)\n"
      "1:"
      : "+D"(save), "+S"(load)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
}
#elif defined(__aarch64__)
[[gnu::always_inline]] inline void bare_switch(bare_context& from, bare_context& to) noexcept {
  register bare_context* save asm("x0") = &from;
  register bare_context* load asm("x1") = &to;
  asm volatile(
      "adr x9, 1f\n\t"
      "mov x10, sp\n\t"
      "stp x10, x29, [x0]\n\t"
      "str x9, [x0, #16]\n\t"
      "ldp x10, x29, [x1]\n\t"
      "ldr x9, [x1, #16]\n\t"
      "mov sp, x10\n\t"
      "br x9\n"
      "1:"
      : "+r"(save), "+r"(load)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
        "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30",
        "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
        "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
        "v27", "v28", "v29", "v30", "v31", "cc", "memory");
}
#endif

}  // namespace bench
