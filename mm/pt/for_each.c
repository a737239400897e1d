/* SPDX-License-Identifier: MIT */
/*
 * Reading what is mapped: /proc texts, mincore, validators. The caller holds mmap_lock (either way), so tables stay; entries
 * are read without their locks and may be old news when fn sees them.
 */
#include "pt_internal.h"

struct walk {
    int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e);
    void *ctx;
};

static int walk_table(const struct walk *w, const pte_t *table, unsigned level, u64 start, u64 end)
{
    for (u64 a = start, next; a < end; a = next) {
        pte_t e = pte_load(table + pt_index(a, level));
        int err = 0;
        next = pt_step(a, end, level);
        if (pte_none(e))
            continue;
        if (level > 1 && pt_is_table(e))
            err = walk_table(w, pt_below(e), level - 1, a, next);
        else
            err = w->fn(w->ctx, a, level, e);
        if (err)
            return err;
    }
    return 0;
}

int pt_for_each(struct mm *mm, u64 start, u64 end,
                int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e), void *ctx)
{
    struct walk w = {.fn = fn, .ctx = ctx};
    end = min(end, mm->task_size);
    return start < end ? walk_table(&w, pt_root(mm), pt_levels(), start, end) : 0;
}
