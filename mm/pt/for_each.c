/* SPDX-License-Identifier: MIT */
/*
 * Reading what is mapped: /proc texts, mincore, validators. The caller holds mmap_lock (either way), so tables stay; entries
 * are read without their locks and may be old news when fn sees them.
 */
#include "pt_internal.h"

struct walk {
    int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e);
    void *ctx;
    bool once;
};

/* Counts the visits of a shared table in page->next, which is 0 again when all sharers came by. */
static bool first_visit(struct page *table)
{
    u32 visits = table->next;
    table->next = visits + 1 == (u32)page_refs(table) ? 0 : visits + 1;
    return visits == 0;
}

static int walk_table(const struct walk *w, const pte_t *table, unsigned level, u64 start, u64 end)
{
    for (u64 a = start, next; a < end; a = next) {
        int err = 0;
        if (level == 3)
            rcu_read_lock(); /* the tables below may be shared (T2) */
        pte_t e = pte_load(table + pt_index(a, level));
        next = pt_step(a, end, level);
        if (level > 1 && pt_is_table(e)) {
            if (level > 3 || !w->once || first_visit(virt_to_page(pt_below(e))))
                err = walk_table(w, pt_below(e), level - 1, a, next);
        } else if (!pte_none(e)) {
            err = w->fn(w->ctx, a, level, e);
        }
        if (level == 3)
            rcu_read_unlock();
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

int pt_for_each_once(struct mm *mm, int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e), void *ctx)
{
    struct walk w = {.fn = fn, .ctx = ctx, .once = true};
    return walk_table(&w, pt_root(mm), pt_levels(), 0, mm->task_size);
}
