/* SPDX-License-Identifier: MIT */
/*
 * Tables shared by fork: the child gets the parent's tables of level 1 or 2, not copies of their entries.
 *
 *   parent  level 3 ─ entry without RW ─┐
 *                                       ├─> U (level 2): refcount 2 ─ entries as they were ─> T (level 1) ─> pages
 *   child   level 3 ─ entry without RW ─┘
 *
 *   a write below             faults, as RW is missing above: pt_alloc ──> pt_unshare, from the highest shared table down
 *   pt_unshare, others left   a copy becomes the mm's own; of U: entries without RW in both, each T below is now shared by
 *                             both copies; of T: private entries without RW in both; one reference less
 *   pt_unshare, the last one  RW comes back to the entry above; all below is as exclusive as it was
 *   zap of all that it covers the table is given up whole: unlinked, flushed, one reference less (pt_drop_shared)
 *   zap of a part, mprotect, mremap     pt_own_edges or pt_own_range first, while failing is still allowed
 *   reclaim, truncation       may not sleep: they empty the entry in T itself, for all sharers (pt_sharers_lost)
 *
 * A table is shared when each area over it is private, has an anon_vma and comes to the child, or has no entry below it. Level 2
 * is tried first: one table stands for 1 GiB. Levels 4 and 5 are an mm's own, and level 3 too: its 512 GiB always hold an area
 * that differs.
 * A table that a userfaultfd protects is not shared (U5 of mm/uffd.h): parent and child are protected apart.
 *
 * Invariants
 *  S1. Sharers map T at the same address, in areas of one anon_vma family and of the same offsets; the areas are linked.
 *  S2. While a table has several references, what lies below only vanishes or loses rights. A CPU holds no writable translation
 *      through it from the end of fork (flush of the parent) until its mm owns the table again.
 *  S3. An entry that points to a shared table changes only under that table's pt_lock. So who holds it knows the sharers: those
 *      whose way down leads to T. More references than sharers: somebody has unlinked T and is about to flush.
 *  S4. With one reference left a table belongs to the mm whose own entry points to it, and stays so: only its own fork could add
 *      one, and fork waits for the mmap_lock and for the areas.
 *  S5. A sharer drops its reference only when its CPUs have flushed what they had from the table, and before its areas leave
 *      their lists. So nobody else frees a page or T under them: pt_sharers_lost() flushes all who have an area there.
 *  S6. pt_count of a T that is shared, or below a shared U, changes only under pt_sharers_lock, and so does the set of those who
 *      reach it through U: each of them has counted T just once. U keeps the sum (PG_table_summed) until it changes, or U
 *      is somebody's own again: to share or to drop 1 GiB is a look at one table.
 *  S7. What finds T by rmap and sees that it is an mm's own acts with the area's rmap lock held. Fork takes RW from the entry
 *      above U, then every such lock over U once, then sums up.
 *
 * Locks: pt_lock of the table above where its count of used entries changes, then the shared table's, then pt_sharers_lock.
 *
 * Files: share.c fork; unshare.c owning; sharers.c giving up, and losing entries together.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/pin.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <port/log.h>

u64 sysctl_fork_share = 16;

/*
 * Is there an entry of [start, end), which the table of this level covers? Faults are kept out, truncation is not: it may empty a table
 * while we look, which only costs a table shared less.
 */
static bool has_entries(const pte_t *table, unsigned level, u64 start, u64 end)
{
    if (level == 1) {
        unsigned i = pt_index(start, 1), n = i + (unsigned)((end - start) >> PAGE_SHIFT);
        return pt_skip_empty(table, i, n) < n;
    }
    for (u64 a = start, next; a < end; a = next) {
        pte_t e = pte_load(table + pt_index(a, level));
        next = pt_step(a, end, level);
        if (!pte_none(e) && READ_ONCE(virt_to_page(pt_below(e))->mapcount) && has_entries(pt_below(e), level - 1, a, next))
            return true;
    }
    return false;
}

/* Would fork copy what v has below the table at base just so? */
static bool area_agrees(const struct vma *v, const pte_t *table, unsigned level, u64 base)
{
    const u64 apart = VM_SHARED | VM_DONTCOPY | VM_WIPEONFORK | VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB | VM_UFFD_WP;
    if (v->anon_vma && !(v->flags & apart))
        return true;
    return !has_entries(table, level, max(vma_start(v), base), min(vma_end(v), base + pt_table_span(level)));
}

static bool areas_agree(const struct vma *src, const pte_t *table, unsigned level, u64 base)
{
    u64 top = base + pt_table_span(level);
    for (const struct vma *v = src; v && vma_start(v) < top; v = vma_next(v))
        if (!area_agrees(v, table, level, base))
            return false;
    for (const struct vma *v = vma_prev(src); v && vma_end(v) > base; v = vma_prev(v))
        if (!area_agrees(v, table, level, base))
            return false;
    return true;
}

/* The level-2 table below s, src's entry, ceases to be the mm's own (S7). */
static void freeze(struct vma *src, pte_t *s, u64 base)
{
    struct page *table = virt_to_page(pt_below(pte_load(s)));
    WRITE_ONCE(src->mm->shares_tables, true);
    pt_lock(table);
    page_set(table, PG_table_shared);
    pte_store(s, (pte_t){pte_load(s).v & ~PTE_RW});
    pt_unlock(table);

    struct vma *v = src, *prev;
    while ((prev = vma_prev(v)) && vma_end(prev) > base)
        v = prev;
    for (; v && vma_start(v) < base + pt_table_span(2); v = vma_next(v)) {
        rmap_lock_vma(v);
        rmap_unlock_vma(v);
    }
}

/* d, the child's entry for the table below s, gets it. */
static void link_shared(struct mm *child, struct mm *parent, pte_t *d, pte_t *s, unsigned level)
{
    pte_t e = {pte_load(s).v & ~PTE_RW};
    struct page *above = pt_table_page(d), *table = virt_to_page(pt_below(e));
    s64 rss[NR_RSS];

    page_set(above, PG_table_shared);
    page_set(pt_table_page(s), PG_table_shared);
    WRITE_ONCE(parent->shares_tables, true);
    child->shares_tables = true;
    pt_lock(above);
    spin_lock_nested(&table->pt_lock);
    if (level > 1)
        spin_lock_nested(&pt_sharers_lock);
    page_set(table, PG_table_shared);
    page_get(table);
    pt_install_table(d, e);
    pte_store(s, e);
    pt_table_rss(table, rss);
    for (unsigned k = 0; k < NR_RSS; k++)
        if (rss[k])
            rss_add(child, k, rss[k]);
    if (level > 1)
        spin_unlock(&pt_sharers_lock);
    spin_unlock(&table->pt_lock);
    pt_unlock(above);
    __atomic_fetch_add(&child->pgtables_bytes, pt_table_bytes(table), __ATOMIC_RELAXED);
    stat_event(PT_SHARE);
}

int pt_share_table(struct vma *dst, struct vma *src, u64 addr)
{
    if (src->mm->flags & MMF_HAS_PINNED) /* N3 in mm/pin.h */
        return 0;
    for (int level = PT_SHARE_MAX; level; level--) {
        pte_t *s = level == 2 ? pt_find_3(src->mm, addr) : pt_find_2(src->mm, addr);
        pte_t *d = level == 2 ? pt_find_3(dst->mm, addr) : pt_find_2(dst->mm, addr);
        pte_t *table = pt_below(pte_load(s));
        u64 base = ALIGN_DOWN(addr, pt_table_span((unsigned)level));
        if (d && pt_is_table(pte_load(d))) {
            if (pt_below(pte_load(d)) == table)
                return level; /* decided at a lower area of the same table */
            continue;
        }
        if (READ_ONCE(virt_to_page(table)->mapcount) < (s64)sysctl_fork_share ||
            !areas_agree(src, table, (unsigned)level, base))
            continue;
        if (!d && !(d = pt_alloc_level(dst->mm, addr, (unsigned)level + 1)))
            return -ENOMEM;
        if (level == 2 && pt_is_own(pte_load(s)))
            freeze(src, s, base);
        link_shared(dst->mm, src->mm, d, s, (unsigned)level);
        return level;
    }
    return 0;
}
