/* SPDX-License-Identifier: MIT */
/*
 * Where another CPU begins: copied to a page below 640 KiB (CS = page >> 4, IP = 0, 16-bit mode).
 * It goes to 64-bit mode on the boot tables, which map this page where it is, and on to
 * ap_start64. Position-independent: EBX holds the base.
 */
#include <arch/asm.h>

    .section .rodata
    .balign 16
    .globl trampoline_start, trampoline_end, trampoline_data
    .code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    xorl %ebx, %ebx
    movw %ax, %bx
    shll $4, %ebx
    /* GDT pointer and far pointers want absolute addresses. */
    leal (gdt - trampoline_start)(%ebx), %eax
    movl %eax, (gdt_ptr + 2 - trampoline_start)
    leal (start32 - trampoline_start)(%ebx), %eax
    movl %eax, (far32 - trampoline_start)
    leal (start64 - trampoline_start)(%ebx), %eax
    movl %eax, (far64 - trampoline_start)
    lgdtl (gdt_ptr - trampoline_start)
    movl $CR0_PE, %eax
    movl %eax, %cr0
    ljmpl *(far32 - trampoline_start)

    .code32
start32:
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %ss
    movl (trampoline_data + 36 - trampoline_start)(%ebx), %eax
    movl %eax, %cr4
    movl (trampoline_data + 32 - trampoline_start)(%ebx), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    xorl %edx, %edx
    movl (trampoline_data + 40 - trampoline_start)(%ebx), %eax
    wrmsr
    movl $(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG), %eax
    movl %eax, %cr0
    ljmpl *(far64 - trampoline_start)(%ebx)

    .code64
start64:
    movl %ebx, %ebx
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movq (trampoline_data + 8 - trampoline_start)(%rbx), %rsp
    movq (trampoline_data + 16 - trampoline_start)(%rbx), %rdi
    movq (trampoline_data + 24 - trampoline_start)(%rbx), %rsi
    jmpq *(trampoline_data - trampoline_start)(%rbx)

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    /* 08: 32-bit code */
    .quad 0x00af9b000000ffff    /* 10: 64-bit code */
    .quad 0x00cf93000000ffff    /* 18: data */
gdt_ptr:
    .word gdt_ptr - gdt - 1
    .long 0
far32:
    .long 0
    .word 0x08
far64:
    .long 0
    .word 0x10
    .balign 8
trampoline_data:
    .fill 48, 1, 0
trampoline_end:
    .section .note.GNU-stack, "", @progbits
