/* SPDX-License-Identifier: MIT */
/*
 * Page faults, from entry.S to the core.
 *
 *   from user ────────────────────────────── mm_fault ─ error? kernel_user_fault (signals)
 *   from kernel ┬ memory map, not yet there ─ memmap_fault
 *               ├ user address, in the exception table ─ mm_fault ─ error? fixup
 *               └ anything else ─ oops
 */
#include <arch/fixup.h>
#include <arch/setup.h>
#include <arch/thread.h>
#include <arch/trap.h>
#include <mm/fault.h>
#include <port/log.h>
#include "oops.h"

/* Bits of the CPU's error code. */
#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_RSVD    8u
#define PF_INSTR   16u

void trap_page_fault(struct regs *regs, u64 error, u64 addr);

#define PF_PKEY    32u

/* The core's flags are the CPU's bits. */
BUILD_ASSERT(FAULT_PRESENT == PF_PRESENT && FAULT_WRITE == PF_WRITE && FAULT_USER == PF_USER && FAULT_EXEC == PF_INSTR &&
             FAULT_PKEY == PF_PKEY);

static inline u32 fault_flags(u64 error)
{
    return (u32)(error & (PF_PRESENT | PF_WRITE | PF_USER | PF_INSTR | PF_PKEY));
}

static inline struct mm *fault_mm(void)
{
    struct mmu_ctx *ctx = this_cpu()->mmu;
    return ctx ? container_of(ctx, struct mm, mmu) : NULL;
}

static inline void count(u32 result)
{
    struct thread_ctx *t = cpu_thread();
    if (unlikely(result & VM_FAULT_MAJOR))
        t->maj_flt++;
    else
        t->min_flt++;
}

void sched_count_fault(bool major)
{
    count(major ? VM_FAULT_MAJOR : 0);
}

/* A reaped address space gets no fresh pages: its threads must not take their zeros for what they wrote. */
static u32 fault_in(struct mm *mm, u64 addr, u64 error)
{
    if (unlikely(READ_ONCE(mm->flags) & MMF_UNSTABLE))
        return VM_FAULT_SIGBUS;
    return mm_fault(mm, addr, fault_flags(error));
}

static void kernel_fault(struct regs *regs, u64 error, u64 addr)
{
    if ((s64)addr < 0) {
        if (!(error & PF_PRESENT) && memmap_fault(addr))
            return;
        if (extable_fixup(regs))
            return;
        oops_page_fault(regs, error, addr);
    }
    struct mm *mm = fault_mm();
    u64 rip = regs->rip;
    if (!extable_fixup(regs))
        oops_page_fault(regs, error, addr);
    /* Where one may not sleep the access fails at once. */
    if (!mm || this_cpu()->lazy || !(regs->rflags & RFLAGS_IF) || in_interrupt() || error & PF_RSVD)
        return;
    irq_enable();
    u32 result = fault_in(mm, addr, error);
    count(result);
    if (!(result & VM_FAULT_ERROR))
        regs->rip = rip; /* again, without the fixup */
}

void trap_page_fault(struct regs *regs, u64 error, u64 addr)
{
    if (unlikely(!(error & PF_USER))) {
        if (regs_user(regs)) { /* the CPU's own access for an instruction of user mode: a descriptor table, a far return */
            irq_enable();
            kernel_user_fault(regs, addr, error & PF_PRESENT ? VM_FAULT_ACCERR : VM_FAULT_MAPERR, error);
            return;
        }
        kernel_fault(regs, error, addr);
        return;
    }
    irq_enable();
    if (unlikely(error & PF_RSVD))
        panic("reserved bit set in a page-table entry for %#lx", addr);
    u32 result = fault_in(fault_mm(), addr, error);
    count(result);
    if (unlikely(result & VM_FAULT_ERROR))
        kernel_user_fault(regs, addr, result, error);
}
