/* SPDX-License-Identifier: MIT */
/* What of a range of a file is cached: cachestat(2). Without locks: a count of what is passed by, as on Linux. */
#include <port/lock.h>
#include <port/sched.h>
#include "cache_internal.h"

#define BATCH 4096 /* pages in one RCU section */

void cache_stat(struct address_space *m, u64 first, u64 last, struct cache_stat *out)
{
    *out = (struct cache_stat){0};
    for (u64 index = first;;) {
        void *page;
        rcu_read_lock();
        page = xa_find(&m->pages, &index, last);
        for (unsigned n = 1; page && n < BATCH; n++) {
            out->cached += !xa_is_value(page);
            out->dirty += !(m->flags & AS_SHMEM) && xa_get_mark(&m->pages, index, CACHE_MARK_DIRTY);
            out->writeback += xa_get_mark(&m->pages, index, CACHE_MARK_WRITEBACK);
            page = xa_find_after(&m->pages, &index, last);
        }
        rcu_read_unlock();
        if (!page)
            return;
        sched_cond();
    }
}
