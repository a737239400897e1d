/* SPDX-License-Identifier: MIT */
/*
 * Walking down: one walker for four and five levels.
 *
 *   addr bits  56..48   47..39   38..30   29..21   20..12
 *   level         5        4        3        2        1
 *              [LA57]    table -> table -> table -> leaf entry
 *
 * A missing table is allocated without a lock and installed under the pt_lock of the table above; who comes second gives
 * its table back. Walks hold no lock: T2 (mm/pt.h) keeps the tables of a linked area in place, and RCU the memory of those
 * that another thread replaces by its copy.
 *
 * Entry points: pt_find, pt_alloc, pt_lock_entry, pt_state; inside mm/pt: pt_find_level, pt_alloc_level, pt_next, pt_next_any.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <port/log.h>

/* Level-1 entry for addr. Unrolled: some 40 instructions with five levels, on the way of each fault. own: not in or below a
 * table that may be shared; those of levels 4 and 5 never are. */
static __always_inline_fn pte_t *find(struct mm *mm, u64 addr, bool own)
{
    const pte_t *t = pt_root(mm);
    pte_t e;
    if (pt_levels() == 5) {
        e = pte_load(t + pt_index(addr, 5));
        if (unlikely(!pt_is_table(e)))
            return NULL;
        t = pt_below(e);
    }
    e = pte_load(t + pt_index(addr, 4));
    if (unlikely(!pt_is_table(e)))
        return NULL;
    e = pte_load(pt_below(e) + pt_index(addr, 3));
    if (unlikely(own ? !pt_is_own(e) : !pt_is_table(e)))
        return NULL;
    e = pte_load(pt_below(e) + pt_index(addr, 2));
    if (unlikely(own ? !pt_is_own(e) : !pt_is_table(e)))
        return NULL;
    return pt_below(e) + pt_index(addr, 1);
}

pte_t *pt_find(struct mm *mm, u64 addr)
{
    return find(mm, addr, false);
}

pte_t *pt_lock_entry(struct mm *mm, u64 addr)
{
    pte_t *p, *above;
    rcu_read_lock();
    while ((p = NULL, above = pt_find_2(mm, addr))) {
        pte_t e = pte_load(above);
        if (!pt_is_table(e))
            break;
        p = pt_below(e) + pt_index(addr, 1);
        struct page *table = pt_table_page(p);
        pt_lock(table);
        /* The link of a shared table changes only under its lock, and the table above is marked before. */
        if (likely(!page_test(pt_table_page(above), PG_table_shared)) || find(mm, addr, false) == p)
            break;
        pt_unlock(table);
    }
    rcu_read_unlock();
    return p;
}

enum pt_state pt_state(struct mm *mm, u64 addr)
{
    enum pt_state state = PT_NONE;
    rcu_read_lock();
    pte_t *p = pt_find_3(mm, addr);
    pte_t e = p ? pte_load(p) : (pte_t){0};
    if (pt_is_table(e)) {
        bool own = pt_is_own(e);
        e = pte_load(pt_below(e) + pt_index(addr, 2));
        if (pt_is_table(e))
            state = own && pt_is_own(e) ? PT_OWN : PT_SHARED;
    }
    rcu_read_unlock();
    return state;
}

pte_t *pt_find_level(struct mm *mm, u64 addr, unsigned level)
{
    pte_t *t = pt_root(mm);
    for (unsigned l = pt_levels(); l > level; l--) {
        pte_t e = pte_load(t + pt_index(addr, l));
        if (!pt_is_table(e))
            return NULL;
        t = pt_below(e);
    }
    return t + pt_index(addr, level);
}

/* Makes the table below the empty entry p of a level, unless another CPU is faster. 0 or -ENOMEM. */
static int make_table(struct mm *mm, pte_t *p, unsigned level)
{
    struct page *table = pt_table_alloc(mm, level - 1), *parent = pt_table_page(p);
    if (!table)
        return -ENOMEM;
    pt_lock(parent);
    bool ours = pte_none(pte_load(p));
    if (ours && page_test(parent, PG_table_shared))
        page_init_flags(table, 1u << PG_table | (level > 2 ? 1u << PG_table_upper : 1u << PG_table_fresh));
    if (ours)
        pt_install_table(p, pte_make(page_to_pfn(table), PTE_TABLE));
    pt_unlock(parent);
    if (!ours)
        pt_table_free(mm, table);
    return 0;
}

pte_t *pt_alloc_level(struct mm *mm, u64 addr, unsigned level)
{
    pte_t *t = pt_root(mm);
    for (unsigned l = pt_levels(); l > level; l--) {
        pte_t *p = t + pt_index(addr, l);
        pte_t e = pte_load(p);
        while (unlikely(!pt_is_own(e))) {
            ASSERT(pte_none(e) || pt_is_table(e));
            if (pte_none(e) ? make_table(mm, p, l) : pt_unshare(mm, p, addr, l))
                return NULL;
            e = pte_load(p);
        }
        t = pt_below(e);
    }
    return t + pt_index(addr, level);
}

pte_t *pt_alloc(struct mm *mm, u64 addr)
{
    pte_t *p = find(mm, addr, true);
    return likely(p) ? p : pt_alloc_level(mm, addr, 1);
}

/* The address that the next used entry above a's in this table begins at, or one at or above end. */
static u64 skip_hole(const pte_t *table, u64 a, u64 end, unsigned level)
{
    unsigned shift = PAGE_SHIFT + 9 * (level - 1);
    u64 base = a >> (shift + 9) << (shift + 9);
    u64 limit = ((end - 1 - base) >> shift) + 1;
    unsigned n = min(limit, (u64)PT_ENTRIES);
    unsigned i = max(pt_index(a, level) + 1, pt_low_hint(table));
    return base + ((u64)pt_skip_empty(table, i, n) << shift);
}

/* The next table at or above *addr, looking from the root down. */
static pte_t *next_table(struct mm *mm, u64 *addr, u64 end, bool used_only)
{
    u64 a = *addr;
    while (a < end) {
        pte_t *t = pt_root(mm), *below;
        unsigned level = pt_levels();
        for (; level > 1; level--, t = below) {
            pte_t e = pte_load(t + pt_index(a, level));
            if (pte_none(e))
                break;
            ASSERT(pt_is_table(e));
            below = pt_below(e);
            if (used_only && level == 2 && READ_ONCE(virt_to_page(below)->mapcount) == 0) {
                if (pte_load(t + pt_index(a, level)).v == e.v)
                    break;
                below = t; /* replaced while we looked: once more */
                level++;
            }
        }
        if (level == 1) {
            *addr = a;
            return t + pt_index(a, 1);
        }
        a = skip_hole(t, a, end, level);
    }
    return NULL;
}

pte_t *pt_next(struct mm *mm, u64 *addr, u64 end)
{
    if (*addr >= end)
        return NULL;
    rcu_read_lock();
    pte_t *p = find(mm, *addr, false);
    if (unlikely(!p) || unlikely(!READ_ONCE(pt_table_page(p)->mapcount)))
        p = next_table(mm, addr, end, true);
    rcu_read_unlock();
    return p;
}

pte_t *pt_next_any(struct mm *mm, u64 *addr, u64 end)
{
    rcu_read_lock();
    pte_t *p = next_table(mm, addr, end, false);
    rcu_read_unlock();
    return p;
}
