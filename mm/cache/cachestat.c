/* SPDX-License-Identifier: MIT */
/* What of a range of a file is cached: cachestat(2). Without locks: a count of what is passed by, as on Linux. */
#include <mm/reclaim.h>
#include <port/lock.h>
#include <port/sched.h>
#include "cache_internal.h"

#define BATCH 4096 /* pages in one RCU section */

static void count(struct address_space *m, u64 index, const void *entry, struct cache_stat *out)
{
    if (unlikely(xa_is_value(entry))) { /* C3; the values of memory name places in swap */
        out->evicted++;
        out->recently_evicted += !(m->flags & AS_SHMEM) && workingset_is_recent(xa_to_value(entry), true);
        return;
    }
    out->cached++;
    out->dirty += !(m->flags & AS_SHMEM) && xa_get_mark(&m->pages, index, CACHE_MARK_DIRTY);
    out->writeback += xa_get_mark(&m->pages, index, CACHE_MARK_WRITEBACK);
}

void cache_stat(struct address_space *m, u64 first, u64 last, struct cache_stat *out)
{
    *out = (struct cache_stat){0};
    for (u64 index = first;;) {
        void *entry;
        rcu_read_lock();
        entry = xa_find(&m->pages, &index, last);
        for (unsigned n = 1; entry && n < BATCH; n++) {
            count(m, index, entry, out);
            entry = xa_find_after(&m->pages, &index, last);
        }
        rcu_read_unlock();
        if (!entry)
            return;
        sched_cond();
    }
}
