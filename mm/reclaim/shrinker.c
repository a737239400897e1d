/* SPDX-License-Identifier: MIT */
/*
 * Caches of objects shrink with the pages. Their objects lie in slabs, so that pages come back only when all objects of a slab have
 * gone: slab_trim() after a run that freed objects hands such slabs out. When memory is very short kswapd also empties the stacks of
 * objects that each CPU keeps (slab_shrink_all), which waits for grace periods.
 *
 * Locks: shrinkers_mutex, tried only: who can't have it leaves this pass to the one who has.
 */
#include <mm/shrinker.h>
#include <mm/slab.h>
#include <mm/trace.h>
#include "reclaim_internal.h"

#define BATCH        128
#define EMPTY_STACKS 3 /* from this priority on CPUs lose the objects that they keep for themselves */

u64 sysctl_vfs_cache_pressure = 100;

static struct mutex shrinkers_mutex;
static LIST_HEAD(shrinkers);

void shrinkers_boot(void)
{
    mutex_init(&shrinkers_mutex, RANK_NONE);
}

void shrinker_register(struct shrinker *s)
{
    mutex_lock(&shrinkers_mutex);
    list_add_tail(&s->link, &shrinkers);
    mutex_unlock(&shrinkers_mutex);
}

/* Returns objects freed. */
static u64 shrink_one(struct shrinker *s, unsigned node, gfp_t gfp, int priority)
{
    u64 have = s->count(s, node), freed = 0, scanned = 0;
    if (!have)
        return 0;
    u64 deferred = __atomic_exchange_n(&s->deferred, 0, __ATOMIC_RELAXED), batch = s->batch ? s->batch : BATCH;
    u64 delta = s->seeks ? (have >> priority) * 4 / s->seeks : have / 2;
    u64 left = min((deferred >> priority) + delta, 2 * have);
    trace_mm_shrink_slab_start(s, node, deferred, gfp, have, delta, left, priority);
    while (left >= batch || left >= have) {
        u64 nr = min(batch, left), n = s->scan(s, node, nr, gfp);
        if (n == SHRINK_STOP || !nr)
            break;
        freed += n;
        scanned += nr;
        left -= nr;
        stat_event_add(SLABS_SCANNED, nr);
        sched_cond();
    }
    u64 ask = deferred + delta;
    __atomic_fetch_add(&s->deferred, min(ask - min(ask, scanned), 2 * have), __ATOMIC_RELAXED);
    trace_mm_shrink_slab_end(s, node, freed, deferred, READ_ONCE(s->deferred), left);
    return freed;
}

u64 shrinkers_run(unsigned node, gfp_t gfp, int priority, bool kswapd)
{
    u64 objects = 0;
    struct shrinker *s;
    if (!mutex_trylock(&shrinkers_mutex))
        return 0;
    list_for_each_entry (s, &shrinkers, link)
        if (kswapd || !s->kswapd_only)
            objects += shrink_one(s, node, gfp, max(priority, 0));
    mutex_unlock(&shrinkers_mutex);
    if (kswapd && priority <= EMPTY_STACKS)
        return slab_shrink_all();
    return objects || priority < DEF_PRIORITY ? slab_trim() : 0;
}

void shrinkers_drop_all(void)
{
    struct shrinker *s;
    mutex_lock(&shrinkers_mutex);
    list_for_each_entry (s, &shrinkers, link) {
        for (unsigned n = 0; n < nr_nodes; n++) {
            u64 have, freed;
            do {
                have = s->count(s, n);
                freed = have ? s->scan(s, n, have, GFP_KERNEL) : 0;
            } while (freed && freed != SHRINK_STOP && freed * 2 > have);
        }
    }
    mutex_unlock(&shrinkers_mutex);
    rcu_barrier();
    slab_shrink_all();
}
