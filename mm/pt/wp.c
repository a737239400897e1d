/* SPDX-License-Identifier: MIT */
/*
 * Write-protection for userfaultfd, which knows of it by PTE_UFFD_WP in each entry.
 *
 *   entry        protect                            resolve
 *   empty        a marker, if asked for             -
 *   marker       stays                              goes
 *   swap entry   PTE_UFFD_WP                        without PTE_UFFD_WP
 *   page         PTE_UFFD_WP, without RW            without PTE_UFFD_WP; RW where the next write would only set it
 *
 * A page of a file loses its entry at any time (MADV_DONTNEED, truncation); then a marker takes its place (pt/zap.c), so that
 * the next page there is protected too.
 *
 * Tables with PTE_UFFD_WP are not shared by fork, so resolve passes over those that are.
 *
 * Locks: mmap_lock; pt_lock per table, with the flush inside: no fault may copy a page that a CPU still writes to.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/pin.h>
#include <port/log.h>

/* Does the next write to this entry need nothing but RW? */
static bool can_write(const struct vma *vma, pte_t e)
{
    if (!(vma->flags & VM_WRITE) || !(e.v & PTE_P) || pte_special(e))
        return false;
    if (!(vma->flags & VM_SOFTDIRTY) && !(e.v & PTE_SOFT_DIRTY))
        return false; /* clear_refs waits for that write */
    if (vma->flags & VM_SHARED)
        return vma->mapping && !vma->mapping->ops->write_pages && pte_dirty(e);
    return page_is_anon(pt_page(e)) && page_exclusive(pt_page(e));
}

static pte_t changed(const struct vma *vma, pte_t e, bool protect)
{
    if (protect)
        return (pte_t){(e.v | PTE_UFFD_WP) & ~PTE_RW};
    if (!pte_uffd_wp(e))
        return e;
    return (pte_t){(e.v & ~PTE_UFFD_WP) | (can_write(vma, e) ? PTE_RW : 0)};
}

/* The n entries from p on, which one table holds; addr is p's. */
static void change_table(struct vma *vma, pte_t *p, u64 addr, unsigned n, bool protect, bool markers)
{
    u64 first = 0, last = 0;
    struct page *table = pt_table_page(p);
    pt_lock(table);
    for (unsigned i = 0; i < n; i++) {
        pte_t e = pte_load(p + i), next;
        if (pte_none(e)) {
            if (markers)
                pt_install(p + i, (pte_t){PTE_MARKER_WP});
            continue;
        }
        if (pte_marker(e)) {
            if (!protect && e.v == PTE_MARKER_WP)
                pt_take(p + i);
            continue;
        }
        if (pte_swap(e)) {
            pte_store(p + i, (pte_t){protect ? e.v | PTE_UFFD_WP : e.v & ~PTE_UFFD_WP});
            continue;
        }
        do {
            next = changed(vma, e, protect);
        } while (next.v != e.v && !pte_cmpxchg(p + i, &e, next));
        if (pte_write(e) && !pte_write(next)) {
            if (!last)
                first = addr + ((u64)i << PAGE_SHIFT);
            last = addr + ((u64)(i + 1) << PAGE_SHIFT);
        }
    }
    if (last)
        tlb_flush_range(vma->mm, first, last);
    pt_unlock(table);
}

int pt_wp_protect(struct vma *vma, u64 start, u64 end, bool markers)
{
    struct mm *mm = vma->mm;
    if (pt_own_range(mm, start, end))
        return -ENOMEM;
    for (u64 addr = start, next; addr < end; addr = next) {
        pte_t *p = markers ? pt_alloc(mm, addr) : pt_next_own(mm, &addr, end);
        if (!p)
            return markers ? -ENOMEM : 0;
        next = pt_step(addr, end, 2);
        change_table(vma, p, addr, (unsigned)((next - addr) >> PAGE_SHIFT), true, markers);
    }
    return 0;
}

void pt_wp_resolve(struct vma *vma, u64 start, u64 end)
{
    pte_t *p;
    for (u64 addr = start, next; (p = pt_next_own(vma->mm, &addr, end)); addr = next) {
        next = pt_step(addr, end, 2);
        change_table(vma, p, addr, (unsigned)((next - addr) >> PAGE_SHIFT), false, false);
    }
}
