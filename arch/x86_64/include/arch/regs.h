/* SPDX-License-Identifier: MIT */
/*
 * struct regs: the registers of interrupted or calling code, as entry.S pushes them. The order is
 * that of Linux's struct pt_regs and of the first 21 words of struct user_regs_struct (ptrace, core
 * dumps).
 *
 *   stack_top   ss rsp rflags cs rip   by the CPU, or by the SYSCALL entry
 *               orig_rax               system call number; -1 for exceptions and interrupts
 *               rdi .. r15             by entry.S
 *
 * Every thread that runs user code has its user registers at the top of its kernel stack:
 * thread_regs().
 */
#ifndef ARCH_REGS_H
#define ARCH_REGS_H
#include <lib/types.h>

struct regs {
    u64 r15, r14, r13, r12, rbp, rbx;
    u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 orig_rax;
    u64 rip, cs, rflags, rsp, ss;
};
BUILD_ASSERT(sizeof(struct regs) == 21 * 8);

/* Selectors (arch/x86_64/gdt.c). The user ones are Linux's, as programs can see them. */
#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER32_CS 0x23
#define USER_DS   0x2b
#define USER_CS   0x33

#define RFLAGS_CF    (1UL << 0)
#define RFLAGS_FIXED (1UL << 1)
#define RFLAGS_PF    (1UL << 2)
#define RFLAGS_AF    (1UL << 4)
#define RFLAGS_ZF    (1UL << 6)
#define RFLAGS_SF    (1UL << 7)
#define RFLAGS_TF    (1UL << 8)
#define RFLAGS_IF    (1UL << 9)
#define RFLAGS_DF    (1UL << 10)
#define RFLAGS_OF    (1UL << 11)
#define RFLAGS_IOPL  (3UL << 12)
#define RFLAGS_NT    (1UL << 14)
#define RFLAGS_RF    (1UL << 16)
#define RFLAGS_AC    (1UL << 18)
#define RFLAGS_ID    (1UL << 21)
/* What a signal frame or ptrace may set. */
#define RFLAGS_USER                                                                                \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_DF |           \
     RFLAGS_OF | RFLAGS_RF | RFLAGS_AC | RFLAGS_NT)

static inline bool regs_user(const struct regs *r)
{
    return r->cs & 3;
}

/* Exception numbers (Intel SDM vol. 3, table 6-1). */
enum {
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_BR = 5,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_TS = 10,
    TRAP_NP = 11,
    TRAP_SS = 12,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_MF = 16,
    TRAP_AC = 17,
    TRAP_MC = 18,
    TRAP_XM = 19,
    TRAP_CP = 21,
};
#endif
