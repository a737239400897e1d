/* SPDX-License-Identifier: MIT */
/*
 * Membership of the lruvec, and the end of a page.
 *
 *   flags                          list                      gauge
 *   swapbacked          (active)   LRU_INACTIVE_ANON (+1)    NR_INACTIVE_ANON (+1)
 *   not swapbacked      (active)   LRU_INACTIVE_FILE (+1)    NR_INACTIVE_FILE (+1)
 *   unevictable                    LRU_UNEVICTABLE           NR_UNEVICTABLE
 *
 *   last reference dropped ──> off its list ──> free (which clears flags and owner)
 *
 * Invariants
 *  L1. PG_lru is set exactly while the page is on a list, namely the one that its flags name, of the shard that its flags and
 *      its frame number name; both change only under that shard's lock. PG_swapbacked, which says which shard, changes only while
 *      PG_lru is clear.
 *  L2. A page whose references have reached 0 is touched by nobody but the one who dropped the last: finders use
 *      page_try_get(), walkers of the list too.
 *
 *  L3. A page without PG_lru that is counted as isolated has a reference of the one who isolated it. He alone puts it back, on the
 *      list that its flags name by then, or frees it.
 *
 * Locks: lru_shard.lock, in runs: 64 consecutive frames share a shard, so a batch takes it once per run.
 */
#include <mm/mlock.h>
#include <mm/swap.h>
#include <port/log.h>
#include "reclaim_internal.h"

BUILD_ASSERT((int)NR_ACTIVE_ANON - (int)NR_INACTIVE_ANON == (int)LRU_ACTIVE_ANON);
BUILD_ASSERT((int)NR_UNEVICTABLE - (int)NR_INACTIVE_ANON == (int)LRU_UNEVICTABLE);

void lru_add(struct page *page)
{
    struct lru_shard *shard = lru_shard_of(page, READ_ONCE(page->flags));
    enum lru_list list = lru_list_of(READ_ONCE(page->flags));
    spin_lock(&shard->lock);
    page_set(page, PG_lru);
    page_list_add(&shard->list[list], page);
    spin_unlock(&shard->lock);
    lru_count(cpu_local(), page, list, 1);
}

__noinline_fn void lru_add_fresh_contended(struct lru_shard *shard, struct page *page,
                                           enum lru_list list)
{
    spin_lock(&shard->lock);
    page_list_add(&shard->list[list], page);
    spin_unlock(&shard->lock);
}

void lru_remove(struct page *page)
{
    struct lru_shard *shard = lru_lock_shard(page);
    ASSERT(page_test(page, PG_lru));
    enum lru_list list = lru_list_of(READ_ONCE(page->flags));
    page_clear(page, PG_lru);
    page_list_remove(&shard->list[list], page);
    spin_unlock(&shard->lock);
    lru_count(cpu_local(), page, list, -1);
}

bool lru_set_unevictable(struct page *page, bool unevictable)
{
    struct lru_shard *shard = lru_lock_shard(page);
    struct mm_cpu *cpu = cpu_local();
    bool moved = false;
    u32 flags = READ_ONCE(page->flags);
    if (flags & (1u << PG_lru) && unevictable != !!(flags & (1u << PG_unevictable))) {
        enum lru_list list = lru_list_of(flags);
        page_list_remove(&shard->list[list], page);
        lru_count(cpu, page, list, -1);
        if (unevictable) {
            page_clear(page, PG_active);
            page_set(page, PG_unevictable);
        } else {
            page_clear(page, PG_unevictable);
        }
        list = lru_list_of(READ_ONCE(page->flags));
        page_list_add(&shard->list[list], page);
        lru_count(cpu, page, list, 1);
        moved = true;
    }
    spin_unlock(&shard->lock);
    return moved;
}

static void activate(struct page *page)
{
    struct lru_shard *shard = lru_lock_shard(page);
    struct mm_cpu *cpu = cpu_local();
    u32 flags = READ_ONCE(page->flags);
    if ((flags & (1u << PG_lru)) && !(flags & (1u << PG_active | 1u << PG_unevictable))) {
        enum lru_list list = lru_list_of(flags);
        page_list_remove(&shard->list[list], page);
        page_set(page, PG_active);
        page_list_add(&shard->list[list + 1], page);
        lru_count(cpu, page, list, -1);
        lru_count(cpu, page, list + 1, 1);
        cpu->event[PGACTIVATE]++;
    }
    spin_unlock(&shard->lock);
}

void lru_mark_accessed(struct page *page)
{
    u32 flags = READ_ONCE(page->flags);
    if (!(flags & (1u << PG_referenced))) {
        page_set(page, PG_referenced);
    } else if (!(flags & (1u << PG_active | 1u << PG_unevictable)) && (flags & (1u << PG_lru))) {
        activate(page);
        page_clear(page, PG_referenced);
        workingset_age(page_node(page), 1);
    }
}

void page_free_last(struct page *page)
{
    u32 flags = page->flags;
    ASSERT(!(flags & (1u << PG_locked | 1u << PG_writeback | 1u << PG_slab | 1u << PG_table)));
    if (flags & (1u << PG_lru))
        lru_remove(page);
    if (unlikely(flags & (1u << PG_mlocked)))
        mlock_freed(flags, 1);
    free_pages(page, unlikely(flags & (1u << PG_head)) ? page_order(page) : 0);
}

/*
 * Neighbours on one list that leave it together. Pages that were touched in order lie on their list in order, so a gather
 * gives them back as neighbours: only the ends of the run are linked anew.
 */
struct run {
    struct lru_shard *shard;    /* locked, or NULL */
    u32 flags;                  /* of all its pages; NO_RUN: there is none */
    u32 nr;                     /* its pages */
    u32 outer_next, outer_prev; /* its neighbours on the list */
};
#define NO_RUN U32_MAX

static void run_unlink(struct run *r)
{
    enum lru_list kind = lru_list_of(r->flags);
    struct page_list *l = &r->shard->list[kind];
    if (r->outer_prev)
        pfn_to_page(r->outer_prev)->next = r->outer_next;
    else
        l->head = r->outer_next;
    if (r->outer_next)
        pfn_to_page(r->outer_next)->prev = r->outer_prev;
    else
        l->tail = r->outer_prev;
    l->nr -= r->nr;
    cpu_local()->zone_lru[(r->flags >> PAGE_ZONE_SHIFT) & 63][kind] -= r->nr;
    if (unlikely(r->flags & (1u << PG_mlocked)))
        mlock_freed(r->flags, r->nr);
    r->flags = NO_RUN;
}

static void run_end(struct run *r)
{
    if (r->flags != NO_RUN)
        run_unlink(r);
    if (r->shard)
        spin_unlock(&r->shard->lock);
    r->shard = NULL;
}

static __noinline_fn void run_begin(struct run *r, struct page *page, u32 flags)
{
    struct lru_shard *shard = lru_shard_of(page, flags);
    if (shard != r->shard) {
        run_end(r);
        r->shard = shard;
        spin_lock(&shard->lock);
    } else if (r->flags != NO_RUN) {
        run_unlink(r);
    }
    r->flags = flags;
    r->nr = 1;
    r->outer_next = page->next;
    r->outer_prev = page->prev;
}

/*
 * Does page, of no references, continue the run that ends with the frame `last`? Its links may be read without its shard's
 * lock: they lead to frames of its own shard only, so if one is the run's last page, both are on the list that is locked.
 */
static __always_inline_fn bool run_join(struct run *r, const struct page *page, u32 flags, u32 last)
{
    if (flags != r->flags)
        return false;
    if (READ_ONCE(page->next) == last)
        r->outer_prev = READ_ONCE(page->prev);
    else if (READ_ONCE(page->prev) == last)
        r->outer_next = READ_ONCE(page->next);
    else
        return false;
    r->nr++;
    return true;
}

void page_put_batch(struct page **pages, unsigned n)
{
    if (n == 1) {
        page_put(pages[0]);
        swap_drop_unused(pages[0]);
        return;
    }
    struct run run = {.flags = NO_RUN};
    struct page **out = pages, **end = pages + n;
    u32 last = 0;

    for (struct page **in = pages; in != end; in++) {
        struct page *page = *in;
        if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) != 0) {
            if (unlikely(page_test(page, PG_swapcache))) {
                run_end(&run);
                swap_drop_unused(page);
            }
            continue;
        }
        u32 flags = READ_ONCE(page->flags);
        if (!run_join(&run, page, flags, last)) {
            if (unlikely(flags & (1u << PG_head))) {
                run_end(&run);
                page_free_last(page);
                continue;
            }
            if (!(flags & (1u << PG_lru))) {
                *out++ = page;
                continue;
            }
            run_begin(&run, page, flags);
        }
        last = (u32)page_to_pfn(page);
        WRITE_ONCE(page->flags, flags & ~(1u << PG_lru)); /* the rest is cleared when it is freed */
        *out++ = page;
    }
    run_end(&run);
    if (out != pages)
        free_page_batch(pages, (unsigned)(out - pages));
}
