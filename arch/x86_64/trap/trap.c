/* SPDX-License-Identifier: MIT */
/*
 * Exceptions other than page faults. From user mode they become signals (kernel_user_trap); from
 * kernel mode the exception table may know better, else it is an oops.
 */
#include <arch/backtrace.h>
#include <arch/debug.h>
#include <arch/fixup.h>
#include <arch/setup.h>
#include <arch/trap.h>
#include <port/log.h>
#include "oops.h"

void trap_exception(struct regs *regs, u64 error, u64 vector);
void trap_paranoid(struct regs *regs, u64 vector);
void trap_bad_iret(struct regs *regs);

static const char *const names[32] = {
    [TRAP_DE] = "divide error",
    [TRAP_DB] = "debug",
    [TRAP_NMI] = "non-maskable interrupt",
    [TRAP_BP] = "int3",
    [TRAP_OF] = "overflow",
    [TRAP_BR] = "bounds",
    [TRAP_UD] = "invalid opcode",
    [TRAP_NM] = "device not available",
    [TRAP_DF] = "double fault",
    [TRAP_TS] = "invalid TSS",
    [TRAP_NP] = "segment not present",
    [TRAP_SS] = "stack segment",
    [TRAP_GP] = "general protection fault",
    [TRAP_MF] = "coprocessor error",
    [TRAP_AC] = "alignment check",
    [TRAP_MC] = "machine check",
    [TRAP_XM] = "simd exception",
    [TRAP_CP] = "control protection fault",
};

/* Unmasked pending exceptions, bits IE DE ZE OE UE PE from 0 up, in both units. */
static u64 float_status(u64 vector)
{
    u16 cw, sw;
    u32 mxcsr;
    if (vector == TRAP_MF) {
        __asm__ volatile("fnstcw %0\n fnstsw %1" : "=m"(cw), "=m"(sw));
        return sw & ~cw & 0x3f;
    }
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr & ~(mxcsr >> 7) & 0x3f;
}

static u64 debug_status(void)
{
    u64 dr6;
    __asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("movq %0, %%dr6" ::"r"(0xffff0ff0UL));
    return dr6 ^ 0xffff0ff0UL;
}

void trap_exception(struct regs *regs, u64 error, u64 vector)
{
    if (regs_user(regs)) {
        u64 status = 0;
        if (vector == TRAP_MF || vector == TRAP_XM)
            status = float_status(vector);
        else if (vector == TRAP_DB) {
            status = debug_status();
            debug_note(cpu_thread(), status & (DEBUG_STEP | DEBUG_HITS));
            if (debug_hit_execute(cpu_thread(), status))
                regs->rflags |= RFLAGS_RF;
        }
        irq_enable();
        kernel_user_trap(regs, (int)vector, error, status);
        return;
    }
    if (extable_fixup(regs))
        return;
    oops(regs, names[vector] ? names[vector] : "unknown exception", error);
}

/* GS is the kernel's, whatever was interrupted. Nothing here may sleep or take a lock that the
 * interrupted code may hold, but for the dying messages. */
void trap_paranoid(struct regs *regs, u64 vector)
{
    switch (vector) {
    case TRAP_NMI:
        log_print(LOG_WARN, "NMI received for unknown reason");
        return;
    case TRAP_DB:
        /* A watchpoint of the program's on memory that the kernel reads or writes for it, which its tracer may look up;
         * or a breakpoint that struck on the first instruction of SYSCALL (MOV SS): nothing of ours. */
        debug_note(cpu_thread(), debug_status() & DEBUG_HITS);
        regs->rflags &= ~RFLAGS_TF;
        return;
    case TRAP_DF:
        log_print(LOG_EMERG, "double fault: kernel stack overflow or corruption");
        break;
    default:
        break;
    }
    regs_print(regs);
    backtrace_print(regs->rbp);
    panic("%s", names[vector]);
}

/* IRET to user mode failed: the frame (from sigreturn or ptrace) is not one the CPU takes. */
void trap_bad_iret(struct regs *regs)
{
    kernel_user_trap(regs, TRAP_GP, 0, 0);
}
