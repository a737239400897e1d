/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/clear_refs on entries: they forget what was done to their pages, so that somebody can see what is done next.
 *
 *   wanted      entry                               page
 *   A           A is cleared                        PG_referenced is cleared
 *   SOFT_DIRTY  SOFT_DIRTY and RW are cleared       nothing: the next write faults and sets both
 *
 * A marker keeps what it is; a swap entry forgets SOFT_DIRTY. So does a writable one of a pinned page: whoever
 * pinned it writes without a fault, so it stays dirty. Tables are the mm's own (pt_own_range).
 *
 * Locks: mmap_lock; pt_lock per table. The MMU sets A and D meanwhile, so entries change by exchange.
 */
#include "pt_internal.h"
#include <mm/pin.h>

static bool stays_dirty(const struct mm *mm, pte_t e)
{
    return mm->flags & MMF_HAS_PINNED && pte_write(e) && !pte_special(e) && page_is_anon(pt_page(e)) && page_pinned(pt_page(e));
}

static void clean_table(const struct mm *mm, pte_t *p, u64 addr, u64 end, bool soft_dirty)
{
    struct page *table = pt_table_page(p);
    const u64 gone = soft_dirty ? PTE_SOFT_DIRTY | PTE_RW : PTE_A;
    pt_lock(table);
    s32 left = table->mapcount;
    for (; left && addr < end; addr += PAGE_SIZE, p++) {
        pte_t e = pte_load(p);
        if (pte_none(e))
            continue;
        left--;
        if (pte_swap(e) && soft_dirty)
            pte_store(p, (pte_t){e.v & ~PTE_SOFT_DIRTY});
        if (!pte_mapped(e) || (soft_dirty && stays_dirty(mm, e)))
            continue;
        __atomic_fetch_and(&p->v, ~gone, __ATOMIC_RELAXED);
        if (!soft_dirty && !pte_special(e))
            page_clear(pt_page(e), PG_referenced);
    }
    pt_unlock(table);
}

void pt_clean_range(struct vma *vma, u64 start, u64 end, bool soft_dirty)
{
    pte_t *p;
    for (u64 addr = start; (p = pt_next_own(vma->mm, &addr, end));) {
        u64 next = pt_step(addr, end, 2);
        clean_table(vma->mm, p, addr, next, soft_dirty);
        addr = next;
    }
    tlb_flush_range(vma->mm, start, end);
}
