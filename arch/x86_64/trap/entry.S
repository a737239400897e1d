/* SPDX-License-Identifier: MIT */
/*
 * Every way into the kernel and back.
 *
 *   SYSCALL ─────── swapgs, thread's stack, struct regs ─ kernel_syscall ─ work? ─ SYSRET
 *   exception ┐ from user: swapgs                                         └ exit_work ┐
 *   interrupt ┴ struct regs ─ C ─ from user: work? ── no ── swapgs, IRET              │
 *                                              └ yes ─ kernel_exit_to_user ─ IRET ────┘
 *   #DB #NMI #DF #MC: stack of their own (IST); GS is set from the stack's lowest word and put back
 *
 * Invariants
 *  1. In kernel mode GS is the struct cpu, except with interrupts off in the few instructions
 *     next to swapgs. Only IST exceptions can come there, and IRET can fault there (irq_iret, see
 *     kernel_exception).
 *  2. On the way to user mode the work flags are looked at with interrupts off.
 *  3. SYSRET is used only when nobody has changed rip, rsp or rflags of the frame
 *     (ARCH_WORK_IRET): then RCX is a canonical address, because user space ends one page below
 *     the hole.
 */
#include <arch/asm.h>

.macro PUSH_REGS rax=%rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq \rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

.macro POP_REGS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
.endm

/* C wants the direction flag clear, and user mode must not switch SMAP off by setting AC. SYSCALL
 * does both itself. */
.macro CLEAR_FLAGS
    cld
772: .byte 0x0f, 0x1f, 0x00     /* CLAC with SMAP */
    .pushsection .clac_sites, "a"
    .quad 772b
    .popsection
.endm

    .section .text.entry, "ax"

/* ---- SYSCALL: RCX = rip, R11 = rflags, interrupts off, stack still the user's ---- */
    .balign 64
    .globl syscall_entry
syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_RSP
    movq %gs:CPU_STACK_TOP, %rsp
    pushq $SEL_USER_DS
    pushq %gs:CPU_USER_RSP
    pushq %r11
    pushq $SEL_USER_CS
    pushq %rcx
    pushq %rax
    PUSH_REGS $-38              /* -ENOSYS */
    sti
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call *%gs:CPU_SYSCALL       /* kernel_syscall, or kernel_syscall_traced */
    movq %rax, REGS_RAX(%rsp)
    cli
    movq %gs:CPU_THREAD, %rcx
    cmpl $0, CTX_WORK(%rcx)
    jne exit_work
    POP_REGS
    movq 32(%rsp), %rsp
    swapgs
    sysretq

/* SYSCALL from compatibility mode (AMD only): there are no 32-bit programs. */
    .balign 16
    .globl syscall32_entry
syscall32_entry:
    movl $-38, %eax
    sysretl

/* ---- the way to user mode; RSP = struct regs, interrupts off ---- */
    .balign 16
exit_to_user:
    movq %gs:CPU_THREAD, %rcx
    cmpl $0, CTX_WORK(%rcx)
    jne exit_work
iret_to_user:
    POP_REGS
    addq $8, %rsp
    swapgs
    .globl user_iret
user_iret:
    iretq

exit_work:
    movl CTX_WORK(%rcx), %eax
    testl $~WORK_IRET, %eax
    jz 1f
    sti
    movq %rsp, %rdi
    call kernel_exit_to_user
    cli
    movq %gs:CPU_THREAD, %rcx
    jmp exit_work
1:  lock andl $~WORK_IRET, CTX_WORK(%rcx)
    jmp iret_to_user

/* IRET refused the user's frame: #GP with the registers of user mode. trap_bad_iret comes here
 * through the exception's own return, so RSP is where IRET had it, and GS is the kernel's. */
    .globl bad_iret
bad_iret:
    pushq $-1
    PUSH_REGS
    sti
    movq %rsp, %rdi
    call trap_bad_iret
    cli
    jmp exit_to_user

/* ---- exceptions on the thread's stack; error code pushed ---- */
/* RDI = regs, RSI = error code, RDX = \arg; C returns with interrupts off or on. */
.macro EXCEPTION name, handler, arg, error=0
    .balign 16
\name:
    .if !\error
    pushq $0
    .endif
    testb $3, 16(%rsp)
    jz 1f
    swapgs
    PUSH_REGS
    CLEAR_FLAGS
    movq \arg, %rdx
    movq REGS_ORIG_RAX(%rsp), %rsi
    movq $-1, REGS_ORIG_RAX(%rsp)
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call \handler
    cli
    jmp exit_to_user
1:  PUSH_REGS
    CLEAR_FLAGS
    movq \arg, %rdx
    leaq \handler(%rip), %rax
    jmp kernel_exception
.endm

    EXCEPTION exc_de, trap_exception, $0
    EXCEPTION exc_bp, trap_exception, $3
    EXCEPTION exc_of, trap_exception, $4
    EXCEPTION exc_br, trap_exception, $5
    EXCEPTION exc_ud, trap_exception, $6
    EXCEPTION exc_nm, trap_exception, $7
    EXCEPTION exc_ts, trap_exception, $10, 1
    EXCEPTION exc_np, trap_exception, $11, 1
    EXCEPTION exc_ss, trap_exception, $12, 1
    EXCEPTION exc_gp, trap_exception, $13, 1
    EXCEPTION exc_pf, trap_page_fault, %cr2, 1
    EXCEPTION exc_mf, trap_exception, $16
    EXCEPTION exc_ac, trap_exception, $17, 1
    EXCEPTION exc_xm, trap_exception, $19
    EXCEPTION exc_cp, trap_exception, $21, 1

/* From kernel mode: RAX = handler, RDX = argument. A fault of user_iret still has the user's GS. */
    .balign 16
kernel_exception:
    cmpq $user_iret, REGS_RIP(%rsp)
    jne 1f
    swapgs
1:  movq REGS_ORIG_RAX(%rsp), %rsi
    movq $-1, REGS_ORIG_RAX(%rsp)
    movq %rsp, %rdi
    call *%rax
    cli
    POP_REGS
    addq $8, %rsp
    iretq

/* ---- exceptions on stacks of their own ---- */
.macro PARANOID name, vector, error=0
    .balign 16
\name:
    .if !\error
    pushq $0
    .endif
    PUSH_REGS
    CLEAR_FLAGS
    movl $\vector, %esi
    jmp paranoid_entry
.endm

    PARANOID exc_nmi, 2
    PARANOID exc_df, 8, 1
    PARANOID exc_mc, 18

/* #DB from user mode moves to the thread's stack, as signals are sent from there. */
    .balign 16
exc_db:
    pushq $0
    testb $3, 16(%rsp)
    jz 1f
    swapgs
    movq %rax, %gs:CPU_USER_RSP
    movq %rsp, %rax
    movq %gs:CPU_STACK_TOP, %rsp
    pushq 40(%rax)
    pushq 32(%rax)
    pushq 24(%rax)
    pushq 16(%rax)
    pushq 8(%rax)
    pushq $0
    movq %gs:CPU_USER_RSP, %rax
    PUSH_REGS
    CLEAR_FLAGS
    movl $1, %edx
    movq REGS_ORIG_RAX(%rsp), %rsi
    movq $-1, REGS_ORIG_RAX(%rsp)
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call trap_exception
    cli
    jmp exit_to_user
1:  PUSH_REGS
    CLEAR_FLAGS
    movl $1, %esi

paranoid_entry:
    movl $MSR_GS_BASE, %ecx
    rdmsr
    movl %eax, %r12d
    movl %edx, %r13d
    movq %rsp, %rax
    andq $~(IST_STACK_SIZE - 1), %rax
    movq (%rax), %rdx
    movl %edx, %eax
    shrq $32, %rdx
    wrmsr
    movq %rsp, %rdi
    call trap_paranoid
    movl $MSR_GS_BASE, %ecx
    movl %r12d, %eax
    movl %r13d, %edx
    wrmsr
    POP_REGS
    addq $8, %rsp
    iretq

/* ---- interrupts: 224 entries of 16 bytes, vectors 32..255 ---- */
    .balign 64
    .globl irq_entries
irq_entries:
    .set vector, 32
    .rept 224
    .balign 16
    pushq $vector
    jmp irq_entry
    .set vector, vector + 1
    .endr

    .balign 16
irq_entry:
    testb $3, 16(%rsp)
    jz 1f
    swapgs
    PUSH_REGS
    CLEAR_FLAGS
    movq %rsp, %rdi
    movq REGS_ORIG_RAX(%rsp), %rsi
    movq $-1, REGS_ORIG_RAX(%rsp)
    xorl %ebp, %ebp
    call irq_dispatch
    jmp exit_to_user
1:  PUSH_REGS
    CLEAR_FLAGS
    movq %rsp, %rdi
    movq REGS_ORIG_RAX(%rsp), %rsi
    movq $-1, REGS_ORIG_RAX(%rsp)
    call irq_dispatch
    POP_REGS
    addq $8, %rsp
    iretq

/* ---- threads ---- */
/* struct thread_ctx *switch_stacks(prev, next) */
    .balign 16
    .globl switch_stacks
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, CTX_RSP(%rdi)
    movq CTX_RSP(%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    movq %rdi, %rax
    ret

/* A new thread: RBX = fn or 0, R12 = its argument, RAX = prev, RSP = its struct regs. */
    .balign 16
    .globl thread_begin
thread_begin:
    movq %rax, %rdi
    call kernel_switch_tail
    testq %rbx, %rbx
    jz 1f
    sti
    movq %r12, %rdi
    call *%rbx
    cli
1:  jmp exit_to_user

    .section .rodata
    .balign 8
    .globl exception_entries
exception_entries:
    .quad exc_de, exc_db, exc_nmi, exc_bp, exc_of, exc_br, exc_ud, exc_nm
    .quad exc_df, 0, exc_ts, exc_np, exc_ss, exc_gp, exc_pf, 0
    .quad exc_mf, exc_ac, exc_mc, exc_xm, 0, exc_cp, 0, 0
    .quad 0, 0, 0, 0, 0, 0, 0, 0
    .section .note.GNU-stack, "", @progbits
