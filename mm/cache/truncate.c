/* SPDX-License-Identifier: MIT */
/*
 * Pages leave the cache: truncation, hole punching, invalidation.
 *
 *   size lowered → pages out of the cache (owner cleared) → entries out of page tables → tail of the last page zeroed
 *
 * The order is what faults rely on (mm/fault/file.c): an entry installed before the owner was cleared is found by the last
 * step, and none is installed after.
 *
 * Locks: invalidate_lock for writing keeps fills out; the caller holds the inode lock.
 */
#include <lib/errno.h>
#include <port/log.h>
#include "cache_internal.h"

/* Removes every page of [first,last]; waits for those in flight. */
void cache_remove_range(struct address_space *m, u64 first, u64 last)
{
    u64 index;
    for (;;) {
        rcu_read_lock();
        index = first;
        struct page *page = xa_find(&m->pages, &index, last);
        bool value = xa_is_value(page), held = page && !value && page_try_get(page);
        rcu_read_unlock();
        if (!page)
            return;
        if (value) {
            cache_forget_value(m, index);
            continue;
        }
        if (!held) {
            cpu_relax(); /* somebody else is just taking it out */
            continue;
        }
        page_lock(page);
        page_wait_writeback(page);
        bool removed = cache_remove(m, page);
        page_unlock(page);
        page_put(page);
        if (!removed)
            continue; /* swapped out while we waited, say */
        first = index + 1;
        if (first > last || first == 0)
            return;
    }
}

/* Zeroes [from,to) of one page, if it is cached or must be (a device behind it holds other bytes). */
static int zero_part(struct address_space *m, u64 index, u64 from, u64 to)
{
    bool major = false;
    struct page *page = m->ops->read_pages || cache_value(m, index) ? cache_get(m, index, &major) : cache_find_any(m, index);
    if (!page)
        return 0;
    if (IS_ERR(page))
        return (int)PTR_ERR(page);
    if (page_test(page, PG_uptodate)) /* a reserved page is cleared when it is first used */
        memset((char *)page_to_virt(page) + from, 0, to - from);
    cache_set_dirty(page);
    page_put(page);
    return 0;
}

int cache_truncate(struct address_space *m, u64 new_size)
{
    u64 old = m->size;
    /* At the same size memory still loses what was reserved beyond it. */
    if (new_size > old || (new_size == old && m->ops->read_pages)) {
        WRITE_ONCE(m->size, new_size);
        return 0;
    }
    u64 part = new_size & ~PAGE_MASK;
    int err = part ? zero_part(m, new_size >> PAGE_SHIFT, part, PAGE_SIZE) : 0;
    if (err)
        return err;
    down_write(&m->invalidate_lock);
    WRITE_ONCE(m->size, new_size);
    u64 first = DIV_ROUND_UP(new_size, PAGE_SIZE);
    cache_remove_range(m, first, U64_MAX);
    mapping_unmap_range(m, first, U64_MAX, true);
    up_write(&m->invalidate_lock);
    return 0;
}

int cache_punch(struct address_space *m, u64 start, u64 end)
{
    u64 first = DIV_ROUND_UP(start, PAGE_SIZE), last = end >> PAGE_SHIFT; /* whole pages: [first,last) */
    int err = 0;
    if (first > last) /* inside one page */
        return zero_part(m, start >> PAGE_SHIFT, start & ~PAGE_MASK, end & ~PAGE_MASK);
    if (start & ~PAGE_MASK)
        err = zero_part(m, start >> PAGE_SHIFT, start & ~PAGE_MASK, PAGE_SIZE);
    if (!err && end & ~PAGE_MASK)
        err = zero_part(m, last, 0, end & ~PAGE_MASK);
    if (err || first == last)
        return err;
    down_write(&m->invalidate_lock);
    cache_remove_range(m, first, last - 1);
    mapping_unmap_range(m, first, last - 1, false);
    up_write(&m->invalidate_lock);
    return 0;
}

u64 cache_invalidate(struct address_space *m, u64 first, u64 last)
{
    u64 dropped = 0, index = first;
    for (;;) {
        rcu_read_lock();
        struct page *page = xa_find(&m->pages, &index, last);
        bool held = page && !xa_is_value(page) && page_try_get(page);
        rcu_read_unlock();
        if (!page)
            return dropped;
        if (xa_is_value(page) && !(m->flags & AS_SHMEM))
            cache_forget_value(m, index);
        if (held) {
            if (!page_mapped(page) && !page_test(page, PG_dirty) && page_try_lock(page)) {
                if (!page_test(page, PG_writeback))
                    dropped += cache_remove_unused(m, page);
                page_unlock(page);
            }
            page_put(page);
        }
        if (index == last || index == U64_MAX)
            return dropped;
        index++;
    }
}

/* The next page from *index on, referenced; NULL: none. */
static struct page *next_page(struct address_space *m, u64 *index, u64 last)
{
    for (;;) {
        rcu_read_lock();
        struct page *page = xa_find(&m->pages, index, last);
        bool value = xa_is_value(page), held = page && !value && page_try_get(page);
        rcu_read_unlock();
        if (!page || held)
            return page;
        if (*index >= last)
            return NULL;
        ++*index; /* a value, or just leaving */
    }
}

int cache_drop(struct address_space *m, u64 first, u64 last)
{
    int result = 0;
    for (u64 index = first; READ_ONCE(m->nrpages); index++) {
        struct page *page = next_page(m, &index, last);
        if (!page)
            break;
        page_lock(page);
        page_wait_writeback(page);
        if (page_mapping(page) == m) {
            if (page_mapped(page))
                mapping_unmap_range(m, index, index, false);
            if (!cache_remove_unused(m, page))
                result = -EBUSY;
        }
        page_unlock(page);
        page_put(page);
        if (index >= last)
            break;
    }
    return result;
}
