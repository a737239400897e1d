/* SPDX-License-Identifier: MIT */
/*
 * Level-1 tables shared by fork: the child gets the parent's tables, not copies of their entries.
 *
 *   parent  level 2 ─ entry without RW ─┐
 *                                       ├─> table T: refcount 2, entries as they were (writable ones, too)
 *   child   level 2 ─ entry without RW ─┘
 *
 *   a write below             faults, as RW is missing above: pt_alloc ──> pt_unshare
 *   pt_unshare, others left   a copy of T becomes the mm's own; private entries lose RW in both; one reference less
 *   pt_unshare, the last one  RW comes back to the level-2 entry; the entries are as exclusive as they were
 *   zap of all that T covers  T is given up whole: unlinked, flushed, one reference less (pt_drop_shared)
 *   zap of a part, mprotect, mremap     pt_own_edges or pt_own_range first, while failing is still allowed
 *   reclaim, truncation       may not sleep: they empty the entry in T itself, for all sharers (pt_sharers_lost)
 *
 * A table is shared when each area over it is private, has an anon_vma and comes to the child, or has no entry in it.
 *
 * Invariants
 *  S1. Sharers map T at the same address, in areas of one anon_vma family and of the same offsets; the areas are linked.
 *  S2. While T has several references its entries only vanish or lose rights. A CPU holds no writable translation from T
 *      from the end of fork (flush of the parent) until its mm owns T again.
 *  S3. A level-2 entry that points to T changes only under T's pt_lock. So who holds it knows the sharers: those whose entry
 *      leads to T. More references than sharers: somebody has unlinked T and is about to flush; to count him is harmless.
 *  S4. With one reference left T belongs to the sharer whose entry points to it, and stays so: only its own fork could add one,
 *      and fork waits for the mmap_lock and for the areas.
 *  S5. A sharer drops its reference only when its CPUs have flushed what they had from T, so that nobody else frees a page or T
 *      itself under them. Who drops the last one empties T (pt_table_put).
 *
 * Locks: pt_lock of the level-2 table where its count of used entries changes, then T's, then sharers_lock.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <port/log.h>

u64 sysctl_fork_share = 16;

/* One walk over sharers at a time: sharer_walk stamps mm->sharer_seen. */
static spinlock_t sharers_lock = SPINLOCK_INIT(RANK_PT);
static u64 sharer_walk;

/* ---- fork ---- */

/* Would fork copy what v has in the table at base just so? */
static bool area_agrees(const struct vma *v, const pte_t *table, u64 base)
{
    const u64 apart = VM_SHARED | VM_DONTCOPY | VM_WIPEONFORK | VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB;
    if (v->anon_vma && !(v->flags & apart))
        return true;
    unsigned first = (unsigned)((max(vma_start(v), base) - base) >> PAGE_SHIFT);
    unsigned end = (unsigned)((min(vma_end(v), base + PMD_SIZE) - base) >> PAGE_SHIFT);
    return pt_skip_empty(table, first, end) == end;
}

static bool areas_agree(const struct vma *src, const pte_t *table, u64 base)
{
    for (const struct vma *v = src; v && vma_start(v) < base + PMD_SIZE; v = vma_next(v))
        if (!area_agrees(v, table, base))
            return false;
    for (const struct vma *v = vma_prev(src); v && vma_end(v) > base; v = vma_prev(v))
        if (!area_agrees(v, table, base))
            return false;
    return true;
}

static void link_shared(struct mm *child, struct mm *parent, pte_t *d, pte_t *s, struct page *table)
{
    struct page *above = pt_table_page(d);
    pt_lock(above);
    spin_lock_nested(&table->pt_lock);
    pte_t e = {pte_load(s).v & ~PTE_RW};
    page_set(table, PG_table_shared);
    page_get(table);
    pt_install_table(d, e);
    pte_store(s, e);
    for (unsigned k = 0; k < NR_RSS; k++)
        if (pt_counted(table, k))
            rss_add(child, k, (s64)pt_counted(table, k));
    spin_unlock(&table->pt_lock);
    pt_unlock(above);
    __atomic_fetch_add(&child->pgtables_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    child->shares_tables = parent->shares_tables = true;
    stat_event(PT_SHARE);
}

int pt_share_table(struct vma *dst, struct vma *src, pte_t *s, u64 addr)
{
    struct page *table = pt_table_page(s);
    pte_t *entries = page_to_virt(table);
    u64 base = ALIGN_DOWN(addr, PMD_SIZE);
    pte_t *d = pt_find_level(dst->mm, addr, 2);
    if (d && pt_is_table(pte_load(d)))
        return pt_below(pte_load(d)) == entries; /* decided at a lower area of the same table */
    if (READ_ONCE(table->mapcount) < (s64)sysctl_fork_share || src->mm->flags & MMF_HAS_PINNED || !areas_agree(src, entries, base))
        return 0;
    if (!d)
        d = pt_alloc_level(dst->mm, addr, 2);
    if (!d)
        return -ENOMEM;
    link_shared(dst->mm, src->mm, d, pt_find_level(src->mm, addr, 2), table);
    return 1;
}

/* ---- owning ---- */

/* T's lock is held; fresh is nobody's yet. */
static void copy_entries(struct page *fresh, struct page *old)
{
    pte_t *d = page_to_virt(fresh), *s = page_to_virt(old);
    s32 left = old->mapcount;
    for (; left; d++, s++) {
        pte_t e = pte_load(s);
        if (pte_none(e))
            continue;
        left--;
        if (pte_write(e))
            __atomic_fetch_and(&s->v, ~PTE_RW, __ATOMIC_RELAXED); /* S2: no CPU has it writable */
        if (!pte_special(e)) {
            page_get(pt_page(e));
            __atomic_fetch_add(&pt_page(e)->mapcount, 1, __ATOMIC_RELAXED);
        }
        pte_store(d, (pte_t){e.v & ~PTE_RW});
    }
    fresh->mapcount = old->mapcount;
    fresh->owner = old->owner;
}

/* What p's table may still be to us. */
enum unshared {
    IS_OWN,   /* ours alone, or there is none */
    COPIED,   /* *old was left for *fresh; our reference to it is the caller's to drop */
    NO_PAGE,  /* a page for the copy is needed */
    CHANGED,  /* look again */
};

static enum unshared try_unshare(struct mm *mm, pte_t *p, u64 addr, struct page **fresh, struct page **old)
{
    pte_t e = pte_load(p);
    if (!pt_is_table(e) || pt_is_own(e))
        return IS_OWN;
    struct page *table = virt_to_page(pt_below(e));
    if (!*fresh && page_refs(table) > 1)
        return NO_PAGE;
    enum unshared r = CHANGED;
    pt_lock(table);
    if (pte_load(p).v != e.v) {
        r = CHANGED;
    } else if (page_refs(table) == 1) { /* S4 */
        pte_store(p, (pte_t){e.v | PTE_RW});
        r = IS_OWN;
    } else if (*fresh) {
        copy_entries(*fresh, table);
        pte_store(p, pte_make(page_to_pfn(*fresh), PTE_TABLE));
        u64 base = ALIGN_DOWN(addr, PMD_SIZE);
        /* What CPUs cached of T's entries stays true; that T is the table does not. */
        tlb_flush_tables(mm, base, base + PAGE_SIZE);
        *fresh = NULL;
        *old = table;
        r = COPIED;
    }
    pt_unlock(table);
    return r;
}

int pt_unshare(struct mm *mm, pte_t *p, u64 addr)
{
    struct page *fresh = NULL, *old = NULL;
    enum unshared r;
    int err = 0;
    do {
        rcu_read_lock(); /* another thread may unshare meanwhile, and T go with its last sharer */
        r = try_unshare(mm, p, addr, &fresh, &old);
        rcu_read_unlock();
        if (r == NO_PAGE && !(fresh = pt_table_alloc(mm, 1)))
            err = -ENOMEM;
    } while (!err && (r == NO_PAGE || r == CHANGED));
    if (r == COPIED) {
        __atomic_fetch_sub(&mm->pgtables_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
        pt_table_put(old);
        stat_event(PT_UNSHARE);
    }
    if (fresh)
        pt_table_free(mm, fresh);
    return err;
}

/* Has the shared table below p an entry in [addr, next)? */
static bool shared_and_used(pte_t *p, u64 addr, u64 next)
{
    rcu_read_lock();
    pte_t e = pte_load(p);
    bool used = false;
    if (pt_is_table(e) && !pt_is_own(e)) {
        unsigned i = pt_index(addr, 1), n = i + (unsigned)((next - addr) >> PAGE_SHIFT);
        used = pt_skip_empty(pt_below(e), i, n) < n;
    }
    rcu_read_unlock();
    return used;
}

int pt_own_range(struct mm *mm, u64 start, u64 end)
{
    if (likely(!mm->shares_tables))
        return 0;
    for (u64 addr = start, next; pt_next(mm, &addr, end); addr = next) {
        pte_t *p = pt_find_level(mm, addr, 2);
        next = pt_step(addr, end, 2);
        if (shared_and_used(p, addr, next) && pt_unshare(mm, p, addr))
            return -ENOMEM;
    }
    return 0;
}

int pt_own_edges(struct mm *mm, u64 start, u64 end)
{
    if (likely(!mm->shares_tables))
        return 0;
    u64 head = min(end, ALIGN_UP(start, PMD_SIZE)), tail = max(start, ALIGN_DOWN(end, PMD_SIZE));
    int err = IS_ALIGNED(start, PMD_SIZE) ? 0 : pt_own_range(mm, start, head);
    return err || IS_ALIGNED(end, PMD_SIZE) ? err : pt_own_range(mm, tail, end);
}

pte_t *pt_next_look(struct mm *mm, u64 *addr, u64 end, bool *maybe_shared)
{
    rcu_read_lock(); /* the flag is read of a table that is still one */
    pte_t *p = pt_next(mm, addr, end);
    *maybe_shared = p && page_test(pt_table_page(p), PG_table_shared);
    rcu_read_unlock();
    return p;
}

pte_t *pt_next_own(struct mm *mm, u64 *addr, u64 end)
{
    bool maybe_shared;
    pte_t *p;
    while ((p = pt_next_look(mm, addr, end, &maybe_shared)) && unlikely(maybe_shared)) {
        pte_t e = pte_load(pt_find_level(mm, *addr, 2));
        if (pt_is_own(e))
            return pt_below(e) + pt_index(*addr, 1);
        *addr = pt_step(*addr, end, 2);
    }
    return p;
}

u32 pt_sharers(struct mm *mm, u64 addr)
{
    pte_t *p = pt_find_level(mm, addr, 2);
    u32 refs = 1;
    rcu_read_lock();
    pte_t e = p ? pte_load(p) : (pte_t){0};
    if (pt_is_table(e))
        refs = (u32)max(page_refs(virt_to_page(pt_below(e))), 1);
    rcu_read_unlock();
    return refs;
}

bool pt_range_shared(struct mm *mm, u64 start, u64 end, const struct page *except)
{
    bool found = false;
    rcu_read_lock();
    for (u64 addr = start; addr < end && !found; addr = pt_step(addr, end, 2)) {
        pte_t *p = pt_find_level(mm, addr, 2);
        pte_t e = p ? pte_load(p) : (pte_t){0};
        if (pt_is_table(e) && !pt_is_own(e)) {
            const struct page *table = virt_to_page(pt_below(e));
            found = table != except && page_refs(table) > 1;
        }
    }
    rcu_read_unlock();
    return found;
}

const struct page *pt_table_at(struct mm *mm, u64 addr)
{
    pte_t *p = pt_find_level(mm, addr, 2);
    pte_t e = p ? pte_load(p) : (pte_t){0};
    return pt_is_table(e) ? virt_to_page(pt_below(e)) : NULL;
}

/* ---- giving up, and losing entries together ---- */

static void forget_rss(struct mm *mm, const struct page *table)
{
    for (unsigned k = 0; k < NR_RSS; k++)
        if (pt_counted(table, k))
            rss_add(mm, k, -(s64)pt_counted(table, k));
}

bool pt_drop_shared(struct gather *g, pte_t *p, u64 addr)
{
    struct page *above = pt_table_page(p), *table = NULL;
    bool dropped = false;
    pt_lock(above);
    rcu_read_lock();
    pte_t e = pte_load(p);
    if (pt_is_table(e) && !pt_is_own(e)) {
        table = virt_to_page(pt_below(e));
        spin_lock_nested(&table->pt_lock);
        if (pte_load(p).v == e.v) {
            if (page_refs(table) == 1) { /* S4 */
                pte_store(p, (pte_t){e.v | PTE_RW});
            } else {
                pt_take(p);
                forget_rss(g->mm, table);
                dropped = true;
            }
        }
        spin_unlock(&table->pt_lock);
    }
    rcu_read_unlock();
    pt_unlock(above);
    if (!dropped)
        return false;
    __atomic_fetch_sub(&g->mm->pgtables_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    gather_shared(g, table, ALIGN_DOWN(addr, PMD_SIZE));
    return true;
}

static void lose(struct page *table, struct vma *v, u64 start, u64 end, const s64 lost[NR_RSS])
{
    struct mm *mm = v->mm;
    if (start < READ_ONCE(v->node.start) || start >= READ_ONCE(v->node.end) || mm->sharer_seen == sharer_walk)
        return;
    pte_t *p = pt_find(mm, start);
    if (!p || pt_table_page(p) != table)
        return;
    mm->sharer_seen = sharer_walk; /* while an area is cut, both parts may hold the address */
    for (unsigned k = 0; k < NR_RSS; k++)
        if (lost[k])
            rss_add(mm, k, -lost[k]);
    tlb_flush_range(mm, start, end);
}

void pt_sharers_lost(struct page *table, struct vma *vma, bool by_file, u64 start, u64 end, const s64 lost[NR_RSS])
{
    struct vma *v;
    spin_lock_nested(&sharers_lock);
    sharer_walk++;
    if (by_file) {
        list_for_each_entry (v, &vma->mapping->i_mmap, mapping_link)
            lose(table, v, start, end, lost);
    } else {
        list_for_each_entry (v, &vma->anon_vma->vmas, anon_link)
            lose(table, v, start, end, lost);
    }
    spin_unlock(&sharers_lock);
}
