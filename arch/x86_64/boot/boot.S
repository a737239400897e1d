/* SPDX-License-Identifier: MIT */
/*
 * From the loader to C.
 *
 *   pvh_entry (32-bit, paging off, EBX = hvm_start_info)
 *     no long mode? say so and stop
 *     LA57 and not "no5lvl"?  CR4.LA57
 *     boot tables: the first GiB at 0, at the direct map's base and at the image's base
 *   start64 (high address)  →  boot_main(start_info)  on boot_stack
 *
 * The boot tables stay: other CPUs come through them (smp/trampoline.S).
 */
#include <arch/asm.h>

#define PHYS(x) ((x) - 0xffffffff80000000)
#define BOOT_STACK_SIZE 16384

/* Xen's ELF notes: type 18 holds the physical address of the 32-bit entry. */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad PHYS(pvh_entry)

    .section .text.boot, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    cli
    cld
    movl %ebx, %esi
    /* .bss must be zero whoever loaded us. */
    movl $PHYS(bss_start), %edi
    movl $PHYS(bss_end), %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl $PHYS(boot_stack_end), %esp

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 29), %edx
    jz no_long_mode
    /* EFER.LME, SCE, and NXE where there is NX; the final tables set XD only then. */
    movl $(EFER_LME | EFER_SCE), %ebp
    testl $(1 << 20), %edx
    jz 1f
    orl $EFER_NXE, %ebp
1:  movl %ebp, PHYS(boot_efer)

    movl $CR4_PAE, PHYS(boot_cr4)
    movl $PHYS(boot_pml4), PHYS(boot_cr3)
    xorl %eax, %eax
    cpuid
    cmpl $7, %eax
    jb 2f
    movl $7, %eax
    xorl %ecx, %ecx
    cpuid
    testl $(1 << 16), %ecx
    jz 2f
    call find_no5lvl
    testl %eax, %eax
    jnz 2f
    movl $(CR4_PAE | CR4_LA57), PHYS(boot_cr4)
    movl $PHYS(boot_pml5), PHYS(boot_cr3)
2:
    movl PHYS(boot_cr4), %eax
    movl %eax, %cr4
    movl PHYS(boot_cr3), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl %ebp, %eax
    wrmsr
    movl $(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG), %eax
    movl %eax, %cr0
    lgdt PHYS(boot_gdt_ptr)
    ljmp $SEL_KERNEL_CS, $PHYS(start64_low)

/* EAX = 1 when "no5lvl" is a word of the command line (ESI = hvm_start_info, kept). */
find_no5lvl:
    movl 24(%esi), %edi         /* cmdline_paddr, low half; above 4 GiB it can't be read here */
    cmpl $0, 28(%esi)
    jne 8f
    testl %edi, %edi
    jz 8f
    movb $' ', %dl              /* the byte before */
4:  movb (%edi), %al
    testb %al, %al
    jz 8f
    cmpb $' ', %dl
    jne 5f
    cmpl $0x6c356f6e, (%edi)    /* "no5l" */
    jne 5f
    cmpw $0x6c76, 4(%edi)       /* "vl" */
    jne 5f
    movb 6(%edi), %cl
    cmpb $' ', %cl
    je 7f
    testb %cl, %cl
    jz 7f
5:  movb %al, %dl
    incl %edi
    jmp 4b
7:  movl $1, %eax
    ret
8:  xorl %eax, %eax
    ret

no_long_mode:
    movl $PHYS(no_long_mode_text), %esi
    movw $0x3f8, %dx
9:  lodsb
    testb %al, %al
    jz 10f
    outb %al, %dx
    jmp 9b
10: hlt
    jmp 10b
no_long_mode_text:
    .asciz "Pagoda needs a CPU with 64-bit mode.\r\n"

    .code64
start64_low:
    movabsq $start64, %rax
    jmp *%rax
start64:
    movl $SEL_KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack_end, %rsp
    movl $MSR_GS_BASE, %ecx
    movq $cpus, %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    movl %esi, %edi
    xorl %ebp, %ebp
    pushq $0
    jmp boot_main

/* Another CPU, from the trampoline, on the boot tables: RDI = its struct cpu, RSP its stack, RSI
 * the kernel's root. */
    .globl ap_start64
ap_start64:
    movq %rsi, %cr3
    movl $MSR_GS_BASE, %ecx
    movq %rdi, %rax
    movq %rdi, %rdx
    shrq $32, %rdx
    wrmsr
    xorl %ebp, %ebp
    pushq $0
    jmp smp_ap_main

    .section .data.page_tables, "aw"
    .balign 4096
#define TABLE 0x3       /* present, writable */
#define LEAF  0x83      /* present, writable, 2 MiB */
boot_pml5:
    .quad PHYS(boot_pml4) + TABLE
    .fill 510, 8, 0
    .quad PHYS(boot_pml4) + TABLE
boot_pml4:
    .quad PHYS(boot_pdpt_low) + TABLE
    .fill 272, 8, 0
    .quad PHYS(boot_pdpt_low) + TABLE   /* 273: ffff888000000000 */
    .fill 237, 8, 0
    .quad PHYS(boot_pdpt_high) + TABLE
boot_pdpt_low:
    .quad PHYS(boot_pd) + TABLE
    .fill 511, 8, 0
boot_pdpt_high:
    .fill 510, 8, 0
    .quad PHYS(boot_pd) + TABLE         /* 510: ffffffff80000000 */
    .quad 0
boot_pd:
    .set i, 0
    .rept 512
    .quad (i << 21) + LEAF
    .set i, i + 1
    .endr

    .data
    .balign 8
boot_gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff    /* KERNEL_CS */
    .quad 0x00cf93000000ffff    /* KERNEL_DS */
boot_gdt_ptr:
    .word boot_gdt_ptr - boot_gdt - 1
    .long PHYS(boot_gdt)
    .balign 4
    .globl boot_cr3, boot_cr4, boot_efer
boot_cr3:  .long 0
boot_cr4:  .long 0
boot_efer: .long 0

    .section .bss.page_aligned, "aw", @nobits
    .balign 4096
    .globl boot_stack_end
    .skip BOOT_STACK_SIZE
boot_stack_end:
    .section .note.GNU-stack, "", @progbits
