/* SPDX-License-Identifier: MIT */
/*
 * The way in: a page from the swap cache, or from the device with its neighbours there.
 *
 *   window   2^n slots, aligned, at most 1 << page_cluster: what was swapped out together is wanted together
 *   its size   the pages read ahead last time that were wanted since, and 2; never less than half of the last one; a single
 *              slot when nothing was wanted and the readers do not go from slot to slot
 *
 * A page that was read ahead has PG_readahead until somebody comes for it.
 *
 * Locks: RCU to look at the words of the window; pages are locked from before they can be found until they were read.
 */
#include <lib/bits.h>
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/reclaim.h>
#include <mm/stat.h>
#include "swap_internal.h"

u64 sysctl_page_cluster = 3;

static u32 hits = 4; /* pages read ahead that were wanted, since the last window */
static u32 last_size;
static u64 last_offset;

/* How many slots to read for one at offset: a power of two. Three words that CPUs race for: it is a guess anyway. */
static unsigned window_size(u64 offset)
{
    unsigned most = 1u << min(sysctl_page_cluster, 5UL);
    if (most == 1)
        return 1;
    unsigned n = __atomic_exchange_n(&hits, 0, __ATOMIC_RELAXED) + 2;
    u64 before = __atomic_exchange_n(&last_offset, offset, __ATOMIC_RELAXED);
    if (n == 2) {
        if (offset != before + 1 && offset + 1 != before)
            n = 1;
    } else {
        unsigned up = 4;
        while (up < n)
            up *= 2;
        n = up;
    }
    n = min(n, most);
    n = max(n, READ_ONCE(last_size) / 2);
    WRITE_ONCE(last_size, n);
    return n;
}

/* The slot, which has entries and no page, gets page as its cached one; false: it is not so. *shadow: what reclaim left there. */
static bool claim(swp_entry_t e, struct page *page, u32 *shadow)
{
    u64 pfn = page_to_pfn(page);
    bool done = false;
    rcu_read_lock();
    struct swap_area *a = swap_area_of(e);
    if (a && swp_offset(e) < a->max) {
        u64 *word = &a->slots[swp_offset(e)], old = READ_ONCE(*word);
        while (!done && slot_count(old) && !(old & (SLOT_CACHED | SLOT_BAD)))
            done = __atomic_compare_exchange_n(word, &old, (old & (SLOT_COUNT | SLOT_TAKEN)) | SLOT_CACHED | pfn, false, __ATOMIC_ACQ_REL,
                                               __ATOMIC_RELAXED);
        *shadow = (u32)old;
    }
    rcu_read_unlock();
    return done;
}

/* Might claim() succeed? */
static bool is_missing(swp_entry_t e)
{
    rcu_read_lock();
    struct swap_area *a = swap_area_of(e);
    u64 v = a && swp_offset(e) && swp_offset(e) < a->max ? READ_ONCE(a->slots[swp_offset(e)]) : 0;
    rcu_read_unlock();
    return slot_count(v) && !(v & (SLOT_CACHED | SLOT_BAD));
}

/*
 * A page for the slot, in the swap cache and locked, with a reference for the caller; it is yet to be read. NULL: the slot is cached or
 * free by now. ERR_PTR(-ENOMEM).
 */
static struct page *cache_missing(swp_entry_t e, gfp_t gfp)
{
    struct page *page = alloc_page(gfp);
    if (!page)
        return ERR_PTR(-ENOMEM);
    page_init_flags(page, 1u << PG_locked | 1u << PG_swapbacked | 1u << PG_swapcache);
    WRITE_ONCE(swap_slot_of_frame[page_to_pfn(page)], (u32)e.v);
    u32 shadow;
    if (!claim(e, page, &shadow)) {
        WRITE_ONCE(swap_slot_of_frame[page_to_pfn(page)], 0);
        page_clear(page, PG_swapcache);
        page_unlock(page); /* who had this frame before may be looking at it (swap_drop_unused) */
        page_put(page);
        return NULL;
    }
    page_get(page);
    stat_node_add(page_node(page), NR_SWAPCACHE, 1);
    if (shadow)
        workingset_refaulted_swap(page, shadow);
    lru_add(page);
    return page;
}

/* Sends off the neighbours of e within its window, but not e, from `from` to before `end`. */
static void read_neighbours(struct swap_plug *plug, swp_entry_t e, u64 from, u64 end)
{
    for (u64 i = from; i < end; i++) {
        swp_entry_t n = swp_entry(swp_type(e), i);
        struct page *page = is_missing(n) ? cache_missing(n, GFP_HIGHUSER_MOVABLE | GFP_NOWARN | GFP_NORETRY) : NULL;
        if (!page)
            continue;
        if (IS_ERR(page))
            return;
        page_set(page, PG_readahead);
        stat_event(SWAP_RA);
        swap_plug_add(plug, swap_area_of(n), false, i, page);
        page_put(page); /* the cache has one as long as it is locked */
    }
}

struct page *swap_in(swp_entry_t e, bool *major)
{
    for (;;) {
        struct page *page = swap_find(e);
        if (page) {
            if (page_test(page, PG_readahead) && page_test_and_clear(page, PG_readahead)) {
                __atomic_fetch_add(&hits, 1, __ATOMIC_RELAXED);
                stat_event(SWAP_RA_HIT);
            }
            return page;
        }
        if (!is_missing(e) && !(page = swap_find(e)))
            return NULL;
        if (page)
            return page;
        page = cache_missing(e, GFP_HIGHUSER_MOVABLE);
        if (IS_ERR(page))
            return page;
        if (!page)
            continue;
        struct swap_plug plug = {NULL};
        u64 offset = swp_offset(e), n = window_size(offset), first = ALIGN_DOWN(offset, n);
        read_neighbours(&plug, e, first, offset);
        swap_plug_add(&plug, swap_area_of(e), false, offset, page);
        read_neighbours(&plug, e, offset + 1, first + n);
        swap_flush(&plug);
        *major = true;
        return page;
    }
}

void swap_read_ahead(swp_entry_t e)
{
    struct swap_plug plug = {NULL};
    read_neighbours(&plug, e, swp_offset(e), swp_offset(e) + 1);
    swap_flush(&plug);
}
