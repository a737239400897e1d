/* SPDX-License-Identifier: MIT */
/*
 * W1 and W2 of mm/swap.h over everything: each slot's count against the entries of all address spaces and of shared memory, the cached
 * pages against PG_swapcache, the clusters and areas against their slots.
 *
 * The census needs no memory: entries are taken from the counts, which must all be 0 then, and given back.
 */
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/stat.h>
#include "swap_internal.h"

static const char *bad;

static void change(swp_entry_t e, bool give)
{
    struct swap_area *a = swap_area_of(e);
    if (!a || !swp_offset(e) || swp_offset(e) >= a->max || a->slots[swp_offset(e)] & SLOT_BAD) {
        bad = "W1: an entry names no slot";
        return;
    }
    u64 *word = &a->slots[swp_offset(e)];
    *word = give ? *word + SLOT_ONE : *word - SLOT_ONE;
}

static int take_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    if (level == 1 && pte_swap(e))
        change(pte_to_swp(e), *(bool *)ctx);
    return 0;
}

static void take_value(void *ctx, swp_entry_t e)
{
    change(e, *(bool *)ctx);
}

static void for_each_entry(bool give)
{
    struct mm *mm;
    list_for_each_entry (mm, &mm_list, list)
        pt_for_each_once(mm, take_entry, &give);
    shmem_for_each_swap(take_value, &give);
}

static const char *check_page(const struct swap_area *a, u64 slot, u64 word)
{
    const struct page *page = pfn_to_page(word & SLOT_LOW);
    if (!page_test(page, PG_swapcache) || page_swap_entry(page).v != swp_entry(a->type, slot).v)
        return "W2: a slot names a page that does not name it";
    if (page_refs(page) < page->mapcount + 2)
        return "W2: the swap cache's reference of a page is missing";
    return NULL;
}

/* With all entries taken away. */
static const char *check_slots(const struct swap_area *a, u64 *cached)
{
    for (u64 i = 1; i < a->max; i++) {
        u64 v = a->slots[i];
        const char *err = v & SLOT_CACHED ? check_page(a, i, v) : NULL;
        if (v & SLOT_BAD)
            continue;
        if (err)
            return err;
        if (v & SLOT_COUNT)
            return "W1: a slot's count is not the number of its entries";
        *cached += !!(v & SLOT_CACHED);
    }
    return NULL;
}

/* With all entries there. */
static const char *check_clusters(const struct swap_area *a)
{
    u64 used = 0;
    for (u32 n = 0; n < a->nr_clusters; n++) {
        u32 words = 0;
        for (unsigned i = 0; i < SWAP_CLUSTER; i++) {
            u64 v = a->slots[(u64)n * SWAP_CLUSTER + i];
            words += v != 0;
            used += v && !(v & SLOT_BAD);
        }
        if (words != a->clusters[n].used)
            return "a cluster's slots in use are miscounted";
    }
    return used == a->inuse ? NULL : "an area's slots in use are miscounted";
}

const char *swap_validate(void)
{
    u64 cached = 0;
    s64 free = 0;
    bad = NULL;
    spin_lock(&mm_list_lock);
    for (unsigned t = 0; t < MAX_SWAP_AREAS && !bad; t++) {
        const struct swap_area *a = swap_areas[t];
        bad = a ? check_clusters(a) : NULL;
        if (a && a->flags & SWAP_AREA_WRITABLE)
            free += (s64)(a->pages - a->inuse);
    }
    if (!bad) {
        for_each_entry(false);
        const char *first = bad;
        for (unsigned t = 0; t < MAX_SWAP_AREAS && !first; t++)
            first = swap_areas[t] ? check_slots(swap_areas[t], &cached) : NULL;
        for_each_entry(true);
        bad = first;
    }
    spin_unlock(&mm_list_lock);
    if (!bad && (s64)cached != stat_sum(NR_SWAPCACHE))
        bad = "NR_SWAPCACHE is not the number of cached pages";
    if (!bad && free != swap_nr_free)
        bad = "free slots are miscounted";
    return bad;
}
