/* SPDX-License-Identifier: MIT */
/*
 * The swap cache: pages that have a slot. And the counts of slots, which live in the same words.
 *
 *                        word of the slot
 *   swap_add             0                 -> CACHED | frame
 *   entry installed      count             -> count + 1
 *   entry gone           count             -> count - 1          none left, and not cached: the slot is free
 *   left the cache       CACHED | frame    -> shadow             no entries: the slot is free
 *   about to be read     count, shadow     -> count, CACHED | frame
 *
 * Locks: the page lock for whatever a page enters or leaves (W2); words change by atomic operations; RCU holds the area.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/stat.h>
#include "swap_internal.h"

u32 *swap_slot_of_frame;

swp_entry_t page_swap_entry(const struct page *page)
{
    return (swp_entry_t){READ_ONCE(swap_slot_of_frame[page_to_pfn(page)])};
}

void swap_cache_enter(struct page *page, swp_entry_t e)
{
    WRITE_ONCE(swap_slot_of_frame[page_to_pfn(page)], (u32)e.v);
    page_get(page);
    page_set(page, PG_swapcache);
    stat_node_add(page_node(page), NR_SWAPCACHE, 1);
}

void swap_cache_leave(struct page *page, u32 shadow, bool keep_ref)
{
    swp_entry_t e = page_swap_entry(page);
    rcu_read_lock();
    struct swap_area *a = swap_area_of(e);
    u64 *word = swap_word(e), old = READ_ONCE(*word), now;
    page_clear(page, PG_swapcache);
    if (!page_mapping(page))
        page_clear(page, PG_dirty); /* of shared memory it says more */
    WRITE_ONCE(swap_slot_of_frame[page_to_pfn(page)], 0);
    stat_node_add(page_node(page), NR_SWAPCACHE, -1);
    do {
        ASSERT(old & SLOT_CACHED && (old & SLOT_LOW) == page_to_pfn(page)); /* W2 */
        now = (old & (SLOT_COUNT | SLOT_TAKEN)) | shadow;
    } while (!__atomic_compare_exchange_n(word, &old, now, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (!(now & SLOT_USED))
        swap_slot_release(a, swp_offset(e));
    rcu_read_unlock();
    if (!keep_ref)
        page_put(page);
}

int swap_add(struct page *page)
{
    ASSERT(page_test(page, PG_locked) && page_test(page, PG_uptodate) && page_test(page, PG_swapbacked));
    ASSERT(!page_test(page, PG_swapcache) && !page_test(page, PG_writeback));
    swp_entry_t e = swap_slot_alloc(page_to_pfn(page));
    if (!e.v)
        return -ENOSPC;
    swap_cache_enter(page, e);
    if (page_mapping(page))
        cache_set_dirty(page);
    else
        page_set(page, PG_dirty);
    return 0;
}

u32 swap_count(struct page *page)
{
    return slot_count(READ_ONCE(*swap_word(page_swap_entry(page))));
}

u32 swap_entries(swp_entry_t e)
{
    rcu_read_lock();
    struct swap_area *a = swap_area_of(e);
    u32 n = a && swp_offset(e) < a->max ? slot_count(READ_ONCE(a->slots[swp_offset(e)])) : 0;
    rcu_read_unlock();
    return n;
}

bool swap_remove(struct page *page, u32 shadow)
{
    ASSERT(page_test(page, PG_locked) && page_test(page, PG_swapcache));
    if (page_test(page, PG_writeback))
        return false;
    if (!swap_count(page)) { /* W3 */
        swap_cache_leave(page, 0, false);
        return true;
    }
    s32 refs = 2;
    /* Without references nobody finds it any more, so that nobody can be about to map it. */
    if (page_mapping(page) || !__atomic_compare_exchange_n(&page->refcount, &refs, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    bool clean = !page_test(page, PG_dirty) && !page_mapped(page);
    if (clean)
        swap_cache_leave(page, shadow, true);
    __atomic_store_n(&page->refcount, clean ? 1 : 2, __ATOMIC_RELEASE);
    return clean;
}

bool swap_try_leave(struct page *page)
{
    if (page_refs(page) != 2 || !page_try_lock(page))
        return false;
    bool left = page_test(page, PG_swapcache) && !swap_count(page) && swap_remove(page, 0);
    page_unlock(page);
    return left;
}

void swap_drop_unused(struct page *page)
{
    if (!page_test(page, PG_swapcache) || !page_try_get(page))
        return;
    if (page_test(page, PG_swapcache) && page_try_lock(page)) {
        if (page_test(page, PG_swapcache) && !page_test(page, PG_writeback) && !page_mapped(page) && !page_mapping(page) &&
            !swap_count(page))
            swap_cache_leave(page, 0, false);
        page_unlock(page);
    }
    page_put(page);
}

/* ---- counts ---- */

void swap_dup(swp_entry_t e)
{
    u64 before = __atomic_fetch_add(swap_word(e), SLOT_ONE, __ATOMIC_RELAXED);
    ASSERT(slot_count(before) && slot_count(before) < slot_count(SLOT_COUNT)); /* W1 */
}

void swap_add_entry(struct page *page)
{
    u64 before = __atomic_fetch_add(swap_word(page_swap_entry(page)), SLOT_ONE, __ATOMIC_RELAXED);
    ASSERT(before & SLOT_CACHED && slot_count(before) < slot_count(SLOT_COUNT));
}

static u64 one_less(u64 *word)
{
    u64 before = __atomic_fetch_sub(word, SLOT_ONE, __ATOMIC_ACQ_REL);
    ASSERT(slot_count(before) && !(before & SLOT_BAD)); /* W1 */
    return before - SLOT_ONE;
}

void swap_free(swp_entry_t e)
{
    rcu_read_lock();
    struct swap_area *a = swap_area_of(e);
    u64 now = one_less(swap_word(e));
    if (!(now & SLOT_USED))
        swap_slot_release(a, swp_offset(e));
    else if (!(now & SLOT_COUNT))
        swap_drop_unused(pfn_to_page(now & SLOT_LOW));
    rcu_read_unlock();
}

void swap_free_cached(swp_entry_t e)
{
    u64 now = one_less(swap_word(e));
    ASSERT(now & SLOT_CACHED);
}

/* ---- finding ---- */

struct page *swap_find(swp_entry_t e)
{
    struct page *page = NULL;
    rcu_read_lock();
    struct swap_area *a = swap_area_of(e);
    const u64 *word = a && swp_offset(e) < a->max ? &a->slots[swp_offset(e)] : NULL;
    while (word) {
        u64 v = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        if (!(v & SLOT_CACHED))
            break;
        page = pfn_to_page(v & SLOT_LOW);
        if (page_try_get(page)) {
            u64 again = __atomic_load_n(word, __ATOMIC_ACQUIRE);
            if (again & SLOT_CACHED && (again & SLOT_LOW) == (v & SLOT_LOW))
                break;
            page_put(page);
        }
        page = NULL;
        cpu_relax(); /* somebody is just taking it out */
    }
    rcu_read_unlock();
    return page;
}
