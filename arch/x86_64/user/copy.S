/* SPDX-License-Identifier: MIT */
/*
 * Copies between kernel and user memory. RDI, RSI, RDX as memcpy; returns in RAX the bytes not
 * copied. Words first; a fault among them goes on byte by byte, so that the count is exact.
 */
    .macro EX from, to
    .pushsection .ex_table, "a"
    .balign 4
    .long \from - ., \to - .
    .popsection
    .endm
    .macro STAC
771: .byte 0x0f, 0x1f, 0x00
    .pushsection .stac_sites, "a"
    .quad 771b
    .popsection
    .endm
    .macro CLAC
772: .byte 0x0f, 0x1f, 0x00
    .pushsection .clac_sites, "a"
    .quad 772b
    .popsection
    .endm

    .text
    .balign 16
    .globl user_copy
user_copy:
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    STAC
1:  rep movsq
    movl %edx, %ecx
2:  rep movsb
3:  CLAC
    movq %rcx, %rax
    ret
4:  leaq (%rdx,%rcx,8), %rcx
    jmp 2b
    EX 1b, 4b
    EX 2b, 3b

/* RDI, RSI = bytes to clear */
    .balign 16
    .globl user_clear
user_clear:
    movq %rsi, %rcx
    movl %esi, %edx
    shrq $3, %rcx
    andl $7, %edx
    xorl %eax, %eax
    STAC
1:  rep stosq
    movl %edx, %ecx
2:  rep stosb
3:  CLAC
    movq %rcx, %rax
    ret
4:  leaq (%rdx,%rcx,8), %rcx
    jmp 2b
    EX 1b, 4b
    EX 2b, 3b
    .section .note.GNU-stack, "", @progbits
