// SPDX-License-Identifier: Apache-2.0
// flame.js and flame.css inside the program. The assembler finds them on the include path.
        .section .rodata
        .globl  weft_flame_script, weft_flame_script_end, weft_flame_style, weft_flame_style_end
        .hidden weft_flame_script, weft_flame_script_end, weft_flame_style, weft_flame_style_end
weft_flame_script:
        .incbin "flame.js"
weft_flame_script_end:
weft_flame_style:
        .incbin "flame.css"
weft_flame_style_end:
        .section .note.GNU-stack, "", %progbits
