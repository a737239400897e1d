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
 *
 * Locks: pt_lock of the table above, since faults of the neighbours may use it meanwhile.
 */
#include "pt_internal.h"
#include <port/log.h>

static void free_below(struct gather *g, pte_t *table, unsigned level, u64 start, u64 end,
                       u64 floor, u64 ceiling)
{
    const struct page *page = virt_to_page(table);
    u64 span = pt_span(level), next;
    for (u64 a = start; a < end && READ_ONCE(page->mapcount); a = next) {
        pte_t *p = table + pt_index(a, level);
        pte_t e = pte_load(p);
        next = pt_step(a, end, level);
        if (pte_none(e)) {
            /* On to the next used entry of this table. */
            unsigned i = pt_index(a, level), last = pt_index(end - 1, level);
            next = (a & ~(span - 1)) + (pt_skip_empty(table, i + 1, last + 1) - i) * span;
            continue;
        }
        ASSERT(pt_is_table(e));
        if (level > 2)
            free_below(g, pt_below(e), level - 1, a, next, floor, ceiling);
        u64 base = a & ~(span - 1);
        if (base < floor || base + span > ceiling)
            continue;
        pt_lock(virt_to_page(table));
        pt_take(p);
        pt_unlock(virt_to_page(table));
        gather_range(g, a, a + PAGE_SIZE);
        gather_table(g, virt_to_page(pt_below(e)));
    }
}

void pt_free_tables(struct gather *g, u64 start, u64 end, u64 floor, u64 ceiling)
{
    /* task_size ends a page before the last table does. */
    if (ceiling >= g->mm->task_size)
        ceiling = U64_MAX;
    if (start < end)
        free_below(g, pt_root(g->mm), pt_levels(), start, end, floor, ceiling);
}
