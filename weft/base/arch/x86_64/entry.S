// SPDX-License-Identifier: Apache-2.0
// x86-64: first instruction of every goroutine.
//
//   on entry  %rsp = 16-byte aligned top of the goroutine's usable stack, %rbp = 0
//   the call pushes 8 bytes, as the ABI wants at a function's first instruction
//
// The return address is undefined: unwinders stop here. The trap in front belongs to the same
// unwind entry, because a context that has not run yet has pc = weft_goroutine_entry and unwinders
// look at pc - 1.
//
// There is no .note.gnu.property on purpose: it would claim that the program works with a shadow
// stack, which a switch by jump does not.
        .text
        .globl  weft_goroutine_entry
        .hidden weft_goroutine_entry
        .hidden weft_goroutine_start
        .type   weft_goroutine_entry, @function
        .p2align 4
        .cfi_startproc
        .cfi_def_cfa rsp, 0
        .cfi_undefined rip
        .cfi_undefined rbp
        ud2
weft_goroutine_entry:
        xorl    %ebp, %ebp              // chains of frame pointers end here too
        call    weft_goroutine_start
        ud2
        .cfi_endproc
        .size   weft_goroutine_entry, . - weft_goroutine_entry
        .section .note.GNU-stack, "", @progbits
