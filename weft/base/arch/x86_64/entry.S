// SPDX-License-Identifier: Apache-2.0
// x86-64: first instruction of every goroutine.
//
//   on entry  %rsp = 16-byte aligned top of the goroutine's usable stack, %rbp = 0
//   the call pushes 8 bytes, as the ABI wants at a function's first instruction
        .text
        .globl  weft_goroutine_entry
        .hidden weft_goroutine_entry
        .type   weft_goroutine_entry, @function
        .p2align 4
        ud2                             // so that pc - 1 of the entry is still ours for unwinders
weft_goroutine_entry:
        .cfi_startproc
        .cfi_undefined rip
        .cfi_def_cfa rsp, 8
        xorl    %ebp, %ebp
        .cfi_undefined rbp
        call    weft_goroutine_start
        ud2
        .cfi_endproc
        .size   weft_goroutine_entry, . - weft_goroutine_entry
        .section .note.GNU-stack, "", @progbits
