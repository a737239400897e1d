/* SPDX-License-Identifier: MIT */
/* Faults and exceptions of user mode become signals. */
#include "proc.h"
#include <arch/debug.h>
#include <arch/trap.h>
#include <mm/fault.h>
#include <port/clock.h>
#include <port/log.h>

static void note(u64 nr, u64 err, u64 cr2)
{
    struct task *t = current_task();
    t->trap_nr = nr;
    t->trap_err = err;
    t->trap_cr2 = cr2;
}

/*
 * No page for the fault. The allocator gives up only for who is being killed, and for what may not wait; so the access is tried
 * again, after whatever signal is pending.
 */
static void out_of_pages(void)
{
    static u64 said;
    u64 now = clock_ns();
    if (fatal_signal_pending())
        return;
    if (!said || now - said > 5000000000UL) {
        said = now;
        log_print(LOG_WARN, "Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF\n");
    }
    sched_yield_cpu();
}

void kernel_user_fault(struct regs *regs, u64 addr, u32 vm_fault, u64 error_code)
{
    note(TRAP_PF, error_code | 4, addr);
    regs->orig_rax = ~0UL;
    if (vm_fault & VM_FAULT_KILLED)
        return; /* the signal is pending */
    if (vm_fault & VM_FAULT_OOM)
        out_of_pages();
    else if (vm_fault & VM_FAULT_POISON)
        signal_force_poison(addr);
    else if (vm_fault & VM_FAULT_SIGBUS)
        signal_force(SIGBUS, BUS_ADRERR, addr);
    else if (vm_fault & VM_FAULT_PKUERR)
        signal_force_pkey(addr, VM_FAULT_KEY(vm_fault));
    else
        signal_force(SIGSEGV, vm_fault & VM_FAULT_ACCERR ? SEGV_ACCERR : SEGV_MAPERR, addr);
}

/* si_code of an arithmetic fault from the unmasked exception bits: ZE, OE, UE, PE, IE as Linux ranks them. */
static int fpe_code(u64 status)
{
    if (status & 1)
        return FPE_FLTINV;
    if (status & 4)
        return 3; /* FPE_FLTDIV */
    if (status & 8)
        return 4; /* FPE_FLTOVF */
    if (status & (16 | 2))
        return 5; /* FPE_FLTUND */
    if (status & 32)
        return 6; /* FPE_FLTRES */
    return 14;    /* FPE_FLTUNK */
}

void kernel_user_trap(struct regs *regs, int trapnr, u64 error_code, u64 status)
{
    note((u64)trapnr, error_code, current_task()->trap_cr2);
    regs->orig_rax = ~0UL;
    switch (trapnr) {
    case TRAP_DE:
        signal_force(SIGFPE, FPE_INTDIV, regs->rip);
        break;
    case TRAP_MF:
    case TRAP_XM:
        signal_force(SIGFPE, fpe_code(status), regs->rip);
        break;
    case TRAP_DB:
        signal_force(SIGTRAP,
                     status & DEBUG_STEP   ? TRAP_TRACE
                     : status & DEBUG_HITS ? TRAP_HWBKPT
                                           : TRAP_BRKPT,
                     regs->rip);
        break;
    case TRAP_BP:
        signal_force(SIGTRAP, SI_KERNEL, 0);
        break;
    case TRAP_UD:
        signal_force(SIGILL, ILL_ILLOPN, regs->rip);
        break;
    case TRAP_AC:
        signal_force(SIGBUS, BUS_ADRALN, 0);
        break;
    case TRAP_SS:
    case TRAP_NP:
    case TRAP_TS:
        signal_force(SIGBUS, SI_KERNEL, 0);
        break;
    default: /* #GP, #OF, #BR and what else there is */
        signal_force(SIGSEGV, SI_KERNEL, 0);
        break;
    }
}
