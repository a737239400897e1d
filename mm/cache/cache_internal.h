/* SPDX-License-Identifier: MIT */
/* What the files of mm/cache share. */
#ifndef MM_CACHE_INTERNAL_H
#define MM_CACHE_INTERNAL_H
#include <port/cpu.h>
#include <mm/cache.h>
#include <mm/gfp.h>

static inline bool cache_is_at(const struct page *page, const struct address_space *m, u64 index)
{
    return page_mapping(page) == m && READ_ONCE(page->index) == (u32)index;
}

/* Any page at index, uptodate or not, referenced; NULL: there is none. */
static __always_inline_fn struct page *cache_find_any(struct address_space *m, u64 index)
{
    struct page *page;
    rcu_read_lock();
    for (;;) {
        page = xa_load(&m->pages, index);
        if (!page)
            break;
        if (unlikely(xa_is_value(page))) { /* it is in swap, or was here once */
            page = NULL;
            break;
        }
        if (unlikely(!page_try_get(page))) {
            cpu_relax(); /* somebody is just taking it out */
            continue;
        }
        if (likely(cache_is_at(page, m, index)))
            break;
        page_put(page);
    }
    rcu_read_unlock();
    return page;
}

/*
 * Puts a fresh page (refcount 1, flags prepared) into the cache at index, taking a reference of its own, on the lruvec.
 * 0; -EEXIST; -ENOMEM; -ENOSPC from ops->reserve. May sleep.
 */
int cache_insert(struct address_space *m, u64 index, struct page *page);
/* Takes a page out: tree, gauges, owner; drops the cache's reference. tree_lock not held. False when it had left already. */
bool cache_remove(struct address_space *m, struct page *page);
/* Removes every page and value of [first,last]; waits for those that are locked or in flight. */
void cache_remove_range(struct address_space *m, u64 first, u64 last);
/* The same if it is clean, not mapped, and nobody but the cache and the caller has a reference; the caller's stays. */
bool cache_remove_unused(struct address_space *m, struct page *page);
/* Allocates (gfp beside GFP_HIGHUSER_MOVABLE) and inserts a locked page, not uptodate unless GFP_ZERO. ERR_PTR: -EEXIST, -ENOMEM, -ENOSPC. */
struct page *cache_new_page(struct address_space *m, u64 index, gfp_t gfp);
/*
 * Someone else reads the page, or failed to: waits. 0; -EAGAIN: it is no more in the cache, the reference is gone, and the caller
 * finds out why by its own try.
 */
int cache_wait_uptodate(struct address_space *m, struct page *page);
struct backing_dev;
/* One of b->users goes. */
void backing_dev_leave(struct backing_dev *b);
#endif
