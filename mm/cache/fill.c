/* SPDX-License-Identifier: MIT */
/*
 * A page that somebody else has filled (userfaultfd) enters the cache of memory without a device.
 *
 *   cache_fill_begin: in the cache, locked, not yet uptodate: who wants it waits
 *   cache_fill_end:   uptodate and dirty, or out again; unlocked
 *
 * Locks: invalidate_lock for reading from begin to end, so that truncation comes before or after; the page lock.
 */
#include <lib/errno.h>
#include <port/log.h>
#include "cache_internal.h"

int cache_fill_begin(struct address_space *m, u64 index, struct page *page)
{
    down_read(&m->invalidate_lock);
    int err = -EFAULT;
    if (index < DIV_ROUND_UP(READ_ONCE(m->size), PAGE_SIZE)) {
        page_set(page, PG_locked);
        err = cache_insert(m, index, page);
        if (!err)
            return 0;
        page_clear(page, PG_locked);
    }
    up_read(&m->invalidate_lock);
    return err == -ENOSPC ? -ENOMEM : err;
}

void cache_fill_end(struct address_space *m, struct page *page, bool good)
{
    ASSERT(page_test(page, PG_locked));
    if (good) {
        page_set(page, PG_uptodate);
        cache_set_dirty(page);
    } else {
        cache_remove(m, page);
    }
    page_unlock(page);
    up_read(&m->invalidate_lock);
}
