// SPDX-License-Identifier: Apache-2.0
// AArch64: first instruction of every goroutine.
//
//   on entry  sp = 16-byte aligned top of the goroutine's usable stack, x29 = 0
//
// The return address is undefined: unwinders stop here. The trap in front belongs to the same
// unwind entry, because a context that has not run yet has pc = weft_goroutine_entry and unwinders
// look at pc - 1.
        .text
        .globl  weft_goroutine_entry
        .hidden weft_goroutine_entry
        .hidden weft_goroutine_start
        .type   weft_goroutine_entry, %function
        .p2align 4
        .cfi_startproc
        .cfi_def_cfa sp, 0
        .cfi_undefined x30
        .cfi_undefined x29
        brk     #0
weft_goroutine_entry:
        hint    #38                     // bti jc
        mov     x29, xzr                // chains of frame pointers end here too
        mov     x30, xzr
        bl      weft_goroutine_start
        brk     #0
        .cfi_endproc
        .size   weft_goroutine_entry, . - weft_goroutine_entry
        .section .note.GNU-stack, "", %progbits
