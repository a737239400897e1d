/* SPDX-License-Identifier: MIT */
/*
 * Giving tables back. After a hole has been made, a table goes when all that it covers lies between the neighbours:
 *
 *        floor                start        end                    ceiling
 *   ───area]··················[////hole////]······················[area───
 *                     |  table A  |  table B  |  table C  |
 *                        both A and B go; C holds no part of the hole and went, or was never made, before
 *
 * Invariants
 *  T1 and T4 of mm/pt.h: unlinked here, freed by the gather after the flush.
 *  N1. A table that goes is empty: everything it covers was zapped.
 *  N2. A shared table that stays holds no table that must go: pt_own_edges() has seen to it. One that goes is given up whole, or
 *      has become ours.
 *  N3. A table of an address space that came by fork may hold tables, without entries, of areas that the child never had.
 *
 * Locks: pt_lock of the table above, since faults of the neighbours may use it meanwhile.
 */
#include "pt_internal.h"
#include <port/log.h>

static void free_below(struct gather *g, pte_t *table, unsigned level, u64 start, u64 end, u64 floor,
                       u64 ceiling)
{
    struct page *page = virt_to_page(table);
    unsigned shift = PAGE_SHIFT + 9 * (level - 1);
    unsigned i = max(pt_index(start, level), pt_low_hint(table)), n = pt_index(end - 1, level) + 1;
    u64 table_base = start >> (shift + 9) << (shift + 9);

    for (; READ_ONCE(page->mapcount) && (i = pt_skip_empty(table, i, n)) < n; i++) {
        pte_t e = pte_load(table + i);
        u64 base = table_base + ((u64)i << shift), top = base + (1UL << shift);
        bool goes = base >= floor && top <= ceiling;
        ASSERT(pt_is_table(e));
        if (unlikely(!pt_is_own(e)) && (!goes || pt_drop_shared(g, table + i, base, level)))
            continue; /* N2 */
        if (level > 2) {
            free_below(g, pt_below(e), level - 1, max(base, start), min(top, end), floor, ceiling);
            if (goes && unlikely(READ_ONCE(virt_to_page(pt_below(e))->mapcount)))
                free_below(g, pt_below(e), level - 1, base, top, floor, ceiling); /* N3 */
        }
        if (!goes)
            continue;
        pt_mark_seen(page, virt_to_page(pt_below(e)));
        pt_lock(page);
        pt_take(table + i);
        pt_unlock(page);
        gather_range(g, base, base + PAGE_SIZE);
        gather_table(g, virt_to_page(pt_below(e)));
    }
}

void pt_free_tables(struct gather *g, u64 start, u64 end, u64 floor, u64 ceiling)
{
    /* task_size ends a page before the last table does. */
    if (ceiling >= g->mm->task_size)
        ceiling = ALIGN_UP(g->mm->task_size, PMD_SIZE);
    /* Only level-1 tables between the neighbours can go, and upper ones only with all that lie below them. */
    start = max(ALIGN_DOWN(start, PMD_SIZE), ALIGN_UP(floor, PMD_SIZE));
    end = min(ALIGN_UP(end, PMD_SIZE), ALIGN_DOWN(ceiling, PMD_SIZE));
    if (start < end)
        free_below(g, pt_root(g->mm), pt_levels(), start, end, floor,
                   ceiling >= g->mm->task_size ? U64_MAX : ceiling);
}
