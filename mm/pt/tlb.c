/* SPDX-License-Identifier: MIT */
/*
 * Flushing translations of one address space: chooses between a few addresses and everything, and counts what Linux
 * counts. The home's mmu_flush() does the work on every CPU of mm->mmu.cpus.
 *
 * Invariants
 *  F1. The entry is changed before the call; the fence makes the change visible before the set of CPUs is read. A CPU that
 *      joins the set later walks the new entries.
 */
#include "pt_internal.h"
#include <mm/stat.h>

/* Beyond as many pages a full flush is cheaper: Linux's tlb_single_page_flush_ceiling. */
#define FLUSH_PAGES_MAX 33

static void flush(struct mm *mm, u64 start, u64 end, bool tables)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    u64 cpus = READ_ONCE(mm->mmu.cpus.bits);
    if (!cpus)
        return;
    struct mm_cpu *cpu = cpu_local();
    u64 self = 1UL << cpu_id();
    bool all = end - start > FLUSH_PAGES_MAX << PAGE_SHIFT;
    if (all) {
        start = 0;
        end = U64_MAX;
    }
    if (cpus & self) {
        if (all)
            cpu->event[NR_TLB_LOCAL_FLUSH_ALL]++;
        else
            cpu->event[NR_TLB_LOCAL_FLUSH_ONE] += (end - start) >> PAGE_SHIFT;
    }
    if (cpus & ~self)
        cpu->event[NR_TLB_REMOTE_FLUSH]++;
    mmu_flush(&mm->mmu, start, end, tables);
}

void tlb_flush_range(struct mm *mm, u64 start, u64 end)
{
    if (start < end)
        flush(mm, start, end, false);
}

void tlb_flush_tables(struct mm *mm, u64 start, u64 end)
{
    flush(mm, start, end, true);
}

void tlb_flush_page(struct mm *mm, u64 addr)
{
    flush(mm, addr, addr + PAGE_SIZE, false);
}

void tlb_flush_mm(struct mm *mm)
{
    flush(mm, 0, U64_MAX, false);
}
