/* SPDX-License-Identifier: MIT */
/*
 * Owning: the tables on the way to an address become the mm's own, each by a copy, or because nobody else is left. The rules are
 * those of share.c, S1 to S7.
 *
 *   fault                   pt_alloc ──> pt_unshare of what is shared on the way, the highest first
 *   mprotect, mremap, ...   pt_own_range: the same for each table with used entries in the range
 *   munmap, DONTNEED        pt_own_edges: for those that the range covers only in part; the others are given up (sharers.c)
 *
 * Locks: the mmap_lock or an area; inside, the pt_lock of the shared table.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/stat.h>
#include <port/log.h>

/* T's lock is held; fresh is nobody's yet. */
static void copy_leaves(struct page *fresh, struct page *old)
{
    pte_t *d = page_to_virt(fresh), *s = page_to_virt(old);
    for (s32 left = old->mapcount; left; d++, s++) {
        pte_t e = pte_load(s);
        if (pte_none(e))
            continue;
        left--;
        if (pte_write(e))
            __atomic_fetch_and(&s->v, ~PTE_RW, __ATOMIC_RELAXED); /* S2: no CPU has it writable */
        if (unlikely(pte_swap(e))) {
            swap_dup(pte_to_swp(e));
        } else if (!pte_special(e)) {
            page_get(pt_page(e));
            __atomic_fetch_add(&pt_page(e)->mapcount, 1, __ATOMIC_RELAXED);
        }
        pte_store(d, (pte_t){e.v & ~PTE_RW});
    }
    fresh->owner = old->owner;
}

/* U's lock is held. From here on both share each table below. */
static void copy_links(struct page *fresh, struct page *old)
{
    pte_t *d = page_to_virt(fresh), *s = page_to_virt(old);
    page_set(fresh, PG_table_shared);
    fresh->prev = old->prev;
    d += old->prev;
    s += old->prev;
    for (s32 left = old->mapcount; left; d++, s++) {
        pte_t e = pte_load(s);
        if (pte_none(e))
            continue;
        left--;
        struct page *below = virt_to_page(pt_below(e));
        if (!page_test(below, PG_table_shared))
            page_set(below, PG_table_shared);
        page_get(below);
        e.v &= ~PTE_RW;
        pte_store(s, e);
        pte_store(d, e);
    }
}

/* What p's table may still be to us. */
enum unshared {
    IS_OWN,   /* ours alone, or there is none */
    COPIED,   /* *old was left for *fresh; our reference to it is the caller's to drop */
    NO_PAGE,  /* a page for the copy is needed */
    CHANGED,  /* look again */
};

static enum unshared try_unshare(struct mm *mm, pte_t *p, u64 addr, unsigned level, struct page **fresh, struct page **old)
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
        if (level == 3)
            page_clear(table, PG_table_summed);
        pte_store(p, (pte_t){e.v | PTE_RW});
        r = IS_OWN;
    } else if (*fresh) {
        if (level == 3)
            copy_links(*fresh, table);
        else
            copy_leaves(*fresh, table);
        (*fresh)->mapcount = table->mapcount;
        pte_store(p, pte_make(page_to_pfn(*fresh), PTE_TABLE));
        u64 base = ALIGN_DOWN(addr, pt_span(level));
        /* What CPUs cached of the table's entries stays true; that it is the table does not. */
        tlb_flush_tables(mm, base, base + PAGE_SIZE);
        *fresh = NULL;
        *old = table;
        r = COPIED;
    }
    pt_unlock(table);
    return r;
}

int pt_unshare(struct mm *mm, pte_t *p, u64 addr, unsigned level)
{
    struct page *fresh = NULL, *old = NULL;
    enum unshared r;
    int err = 0;
    do {
        rcu_read_lock(); /* another thread may unshare meanwhile, and the table go with its last sharer */
        r = try_unshare(mm, p, addr, level, &fresh, &old);
        rcu_read_unlock();
        if (r == NO_PAGE && !(fresh = pt_table_alloc(mm, level - 1)))
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

/* Has the table for addr, which is shared, an entry in [addr, next)? */
static bool shared_and_used(struct mm *mm, u64 addr, u64 next)
{
    rcu_read_lock();
    bool used = false;
    pte_t *p = pt_state(mm, addr) == PT_SHARED ? pt_find(mm, addr) : NULL;
    if (p) {
        unsigned n = (unsigned)((next - addr) >> PAGE_SHIFT);
        used = pt_skip_empty(p - pt_index(addr, 1), pt_index(addr, 1), pt_index(addr, 1) + n) < pt_index(addr, 1) + n;
    }
    rcu_read_unlock();
    return used;
}

int pt_own_range(struct mm *mm, u64 start, u64 end)
{
    if (likely(!mm->shares_tables))
        return 0;
    for (u64 addr = start, next; pt_next(mm, &addr, end); addr = next) {
        next = pt_step(addr, end, 2);
        if (shared_and_used(mm, addr, next) && !pt_alloc_level(mm, addr, 1))
            return -ENOMEM;
    }
    return 0;
}

/* The shared level-2 table for [start, end), which it covers, becomes the mm's own if it holds a table there. */
static int own_level_2(struct mm *mm, u64 start, u64 end)
{
    pte_t *p = pt_find_3(mm, start);
    bool used = false;
    if (!p)
        return 0;
    rcu_read_lock();
    pte_t e = pte_load(p);
    if (pt_is_table(e) && !pt_is_own(e)) {
        unsigned n = pt_index(end - 1, 2) + 1;
        used = pt_skip_empty(pt_below(e), pt_index(start, 2), n) < n;
    }
    rcu_read_unlock();
    return used ? pt_unshare(mm, p, start, 3) : 0;
}

/* What tables of a span hold only a part of the range, own() makes ours. */
static inline int own_edges_of(struct mm *mm, u64 start, u64 end, u64 span, int (*own)(struct mm *mm, u64 start, u64 end))
{
    u64 head = min(end, ALIGN_UP(start, span)), tail = max(head, ALIGN_DOWN(end, span));
    int err = start < head ? own(mm, start, head) : 0;
    return err || tail == end ? err : own(mm, tail, end);
}

int pt_own_edges(struct mm *mm, u64 start, u64 end)
{
    if (likely(!mm->shares_tables))
        return 0;
    int err = own_edges_of(mm, start, end, PUD_SIZE, own_level_2);
    return err ? err : own_edges_of(mm, start, end, PMD_SIZE, pt_own_range);
}

pte_t *pt_next_look(struct mm *mm, u64 *addr, u64 end, bool *maybe_shared)
{
    pte_t *p = pt_next(mm, addr, end);
    *maybe_shared = p && unlikely(mm->shares_tables) && pt_state(mm, *addr) != PT_OWN;
    return p;
}

pte_t *pt_next_own(struct mm *mm, u64 *addr, u64 end)
{
    bool maybe_shared;
    pte_t *p;
    while ((p = pt_next_look(mm, addr, end, &maybe_shared)) && unlikely(maybe_shared)) {
        if (pt_state(mm, *addr) == PT_OWN)
            return pt_find(mm, *addr);
        *addr = pt_step(*addr, end, 2);
    }
    return p;
}
