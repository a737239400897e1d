/* SPDX-License-Identifier: MIT */
/*
 * Whoever reclaims and gets nowhere sleeps, each time for a short while only, so that a device or kswapd can catch up.
 *
 *   WRITEBACK    100 ms, or until LRU_BATCH pages for each who waits were written       pages under write-back come round again
 *   CONGESTED    100 ms                                              only such pages come by
 *   NOPROGRESS   100 ms, or until somebody else frees pages          hardly a page can be freed
 *   ISOLATED      20 ms                                              others have taken most pages off the lists
 *   reserve      until kswapd has refilled half of it; 1 s where the caller may not wait for file systems
 *
 * Locks: those of the wait queues.
 */
#include <lib/errno.h>
#include <mm/trace.h>
#include <port/clock.h>
#include "reclaim_internal.h"

#define MS 1000000UL

struct reclaim_state reclaim_states[MAX_NODES];

/* The counters don't wake anybody: who waits looks again every 10 ms. */
#define LOOK_NS (10 * MS)

static bool written_enough(const struct reclaim_state *s)
{
    u64 written = (u64)stat_node_sum(s->node->id, NR_WRITTEN) - READ_ONCE(s->written_from);
    return written > (u64)LRU_BATCH * READ_ONCE(s->throttled);
}

static void wait_written(struct reclaim_state *s)
{
    u64 end = clock_ns() + 100 * MS;
    if (__atomic_fetch_add(&s->throttled, 1, __ATOMIC_RELAXED) == 0)
        WRITE_ONCE(s->written_from, (u64)stat_node_sum(s->node->id, NR_WRITTEN));
    while (clock_ns() < end && !written_enough(s))
        if (waitq_wait_until(&s->throttle_wait[THROTTLE_WRITEBACK], false, min(clock_ns() + LOOK_NS, end)) == -EINTR)
            break;
    __atomic_fetch_sub(&s->throttled, 1, __ATOMIC_RELAXED);
}

void reclaim_throttle(struct node *node, enum throttle why)
{
    struct reclaim_state *s = &reclaim_states[node->id];
    if (*sched_mem_flags() & THREAD_KSWAPD && why == THROTTLE_NOPROGRESS)
        return;
    u64 begin = clock_ns();
    switch (why) {
    case THROTTLE_WRITEBACK:
        wait_written(s);
        break;
    case THROTTLE_ISOLATED:
        waitq_wait_until(&s->throttle_wait[why], false, clock_ns() + 20 * MS);
        break;
    default:
        waitq_wait_until(&s->throttle_wait[why], false, clock_ns() + 100 * MS);
    }
    trace_mm_vmscan_throttled(node->id, (why == THROTTLE_ISOLATED ? 20 : 100) * MS, clock_ns() - begin, why);
}

void reclaim_throttle_progress(struct node *node, const struct scan_control *sc)
{
    struct reclaim_state *s = &reclaim_states[node->id];
    if (sc->nr_reclaimed > sc->nr_scanned / 8)
        waitq_wake_all(&s->throttle_wait[THROTTLE_NOPROGRESS]);
    else if (!sc->kswapd && sc->priority == 1 && !sc->nr_reclaimed)
        reclaim_throttle(node, THROTTLE_NOPROGRESS);
}

/* Is at least half of what the min watermarks keep back still there? Without kswapd nobody would refill it. */
static bool reserve_is_fair(const struct reclaim_state *s)
{
    u64 keep = 0, free = 0;
    if (!s->running || READ_ONCE(s->failures) >= MAX_RECLAIM_FAILURES)
        return true;
    for (unsigned k = 0; k <= ZONE_NORMAL; k++) {
        const struct zone *z = &s->node->zone[k];
        if (!z->managed || !zone_reclaimable(z))
            continue;
        keep += READ_ONCE(z->watermark[WMARK_MIN]);
        free += READ_ONCE(z->nr_free);
    }
    return !keep || free > keep / 2;
}

bool reclaim_wait_reserve(unsigned node, gfp_t gfp)
{
    struct zone *first = nodes[node]->zonelist[0];
    struct reclaim_state *s = &reclaim_states[first ? first->node : node];
    if (sched_fatal_signal() || reserve_is_fair(s))
        return false;
    stat_event(PGSCAN_DIRECT_THROTTLE);
    kswapd_wake(s->node, 0, ZONE_NORMAL, 0);
    if (gfp & GFP_FS)
        return waitq_wait_killable(&s->reserve_wait, reserve_is_fair(s)) == -EINTR;
    waitq_wait_until(&s->reserve_wait, reserve_is_fair(s), clock_ns() + 1000 * MS);
    return sched_fatal_signal();
}
