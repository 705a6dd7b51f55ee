// SPDX-License-Identifier: Apache-2.0
// weft_gdb.py inside the program: gdb runs Python text of a .debug_gdb_scripts section (entry type
// 4: name, newline, text, zero) if its auto-load safe path covers the program. The assembler finds
// the file on the include path. The section is not loaded into memory; `strip -g` removes it.
        .section .debug_gdb_scripts, "MS", %progbits, 1
        .byte   4
        .ascii  "weft_gdb.py\n"
        .incbin "weft/sched/gdb/weft_gdb.py"
        .byte   0

// The debug root refers to this, so that the linker takes this file out of the library.
        .section .rodata
        .globl  weft_gdb_script_name
        .hidden weft_gdb_script_name
weft_gdb_script_name:
        .asciz  "weft_gdb.py"
        .section .note.GNU-stack, "", %progbits
