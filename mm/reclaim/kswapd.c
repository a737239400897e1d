/* SPDX-License-Identifier: MIT */
/*
 * kswapd: reclaims a node in the background, from when an allocation finds it below its low watermark until it is above high.
 *
 *   asleep ── kswapd_wake ──> priority 12, 11 .. while the node is below high ──> short nap ── still above ──> asleep
 *                                  └── nothing found in 16 passes: given up until direct reclaim frees something
 *
 * It may use all of the reserve (THREAD_MEMALLOC): what it needs to write a page must not wait for itself. Unlike those who reclaim for
 * themselves it holds no locks, so it alone runs the shrinkers that may sleep.
 *
 * Locks: none of its own; reclaim_state.wanted is exchanged atomically.
 */
#include <lib/errno.h>
#include <lib/fmt.h>
#include <mm/oom.h>
#include <mm/psi.h>
#include <mm/trace.h>
#include <port/clock.h>
#include <port/log.h>
#include "reclaim_internal.h"

#define NAP_NS 100000000UL

bool node_balanced(const struct node *node, unsigned order, unsigned zone)
{
    bool any = false;
    for (unsigned k = 0; k <= zone; k++) {
        const struct zone *z = &node->zone[k];
        if (!z->managed)
            continue;
        if (watermark_ok(z, order, READ_ONCE(z->watermark[WMARK_HIGH]), zone, 0))
            return true;
        any = true;
    }
    return !any;
}

bool reclaim_node_given_up(unsigned node)
{
    return READ_ONCE(reclaim_states[node].failures) >= MAX_RECLAIM_FAILURES;
}

void kswapd_wake(struct node *node, unsigned order, unsigned zone, gfp_t gfp)
{
    struct reclaim_state *s = &reclaim_states[node->id];
    if (!s->running || reclaim_node_given_up(node->id) || node_balanced(node, order, zone))
        return;
    u32 old = READ_ONCE(s->wanted), want;
    do
        want = 1 | max((old >> 8) & 255, order) << 8 | max(old >> 16, zone) << 16;
    while (want != old && !__atomic_compare_exchange_n(&s->wanted, &old, want, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (want != old) {
        trace_mm_vmscan_wakeup_kswapd(node->id, zone, order, gfp);
        waitq_wake_all(&s->kswapd_wait);
    }
}

static u64 pages_to_high(const struct node *node, unsigned zone)
{
    u64 n = 0;
    for (unsigned k = 0; k <= zone; k++)
        if (node->zone[k].managed)
            n += max(READ_ONCE(node->zone[k].watermark[WMARK_HIGH]), (u64)LRU_BATCH);
    return n;
}

/* One run. Returns the order that it could balance for: 0 when larger blocks did not come. */
static unsigned balance(struct reclaim_state *s, unsigned order, unsigned zone)
{
    struct node *node = s->node;
    struct scan_control sc = {.gfp = GFP_KERNEL, .order = (u8)order, .zone = (u8)zone, .kswapd = true, .may_unmap = true};
    stat_event(PAGEOUTRUN);
again:
    sc.priority = DEF_PRIORITY;
    do {
        u64 before = sc.nr_reclaimed;
        pcp_drain_local();
        if (node_balanced(node, sc.order, zone))
            goto out;
        sc.may_writepage = sc.may_swap = true;
        reclaim_age_anon(node, &sc);
        sc.nr_scanned = 0;
        sc.nr_to_reclaim = pages_to_high(node, zone);
        reclaim_node(node, &sc);
        if (sc.order && sc.nr_reclaimed >= 2UL << sc.order)
            sc.order = 0; /* enough is free: whether it is in one piece is luck */
        pcp_drain_local();
        waitq_wake_all(&s->reserve_wait);
        if (sc.nr_scanned < sc.nr_to_reclaim || sc.nr_reclaimed == before)
            sc.priority--;
    } while (sc.priority >= 1);
    if (!sc.nr_reclaimed && !sc.no_cache_trim && sc.cache_trim_failed) {
        sc.no_cache_trim = true;
        goto again;
    }
    if (!sc.nr_reclaimed)
        __atomic_fetch_add(&s->failures, 1, __ATOMIC_RELAXED);
out:
    waitq_wake_all(&s->reserve_wait);
    reclaim_snapshot(node);
    return sc.order;
}

/* Nothing to do: the stalls of those who reclaim for themselves end, and what was said of the device is forgotten. */
static bool ready_to_sleep(struct reclaim_state *s, unsigned order, unsigned zone)
{
    waitq_wake_all(&s->reserve_wait);
    if (reclaim_node_given_up(s->node->id))
        return true;
    if (!node_balanced(s->node, order, zone))
        return false;
    node_clear_flag(s->node, NODE_WRITEBACK | NODE_DIRTY | NODE_CONGESTED);
    return true;
}

static void nap_or_sleep(struct reclaim_state *s, unsigned order, unsigned zone)
{
    bool woken = false;
    if (ready_to_sleep(s, order, zone))
        woken = waitq_wait_until(&s->kswapd_wait, READ_ONCE(s->wanted), clock_ns() + NAP_NS) == 0;
    if (!woken && ready_to_sleep(s, order, zone)) {
        trace_mm_vmscan_kswapd_sleep(s->node->id);
        waitq_wait(&s->kswapd_wait, READ_ONCE(s->wanted));
    } else
        stat_event(woken ? KSWAPD_LOW_WMARK_HIT_QUICKLY : KSWAPD_HIGH_WMARK_HIT_QUICKLY);
}

static int kswapd(void *arg)
{
    struct reclaim_state *s = arg;
    unsigned order = 0, zone = MAX_ZONES - 1;
    u64 stall = 0;
    *sched_mem_flags() |= THREAD_MEMALLOC | THREAD_KSWAPD;
    for (;;) {
        nap_or_sleep(s, order, zone);
        u32 wanted = __atomic_exchange_n(&s->wanted, 0, __ATOMIC_ACQUIRE);
        if (wanted) {
            order = (wanted >> 8) & 255;
            zone = wanted >> 16;
        }
        trace_mm_vmscan_kswapd_wake(s->node->id, zone, order);
        psi_memstall_enter(&stall);
        order = balance(s, order, zone);
        psi_memstall_leave(&stall);
    }
    return 0;
}

static void wake(unsigned node, gfp_t gfp, unsigned order)
{
    struct zone **zp = nodes[node]->zonelist;
    unsigned last = MAX_NODES;
    for (; *zp; zp++) {
        if ((*zp)->index > gfp_zone(gfp) || (*zp)->node == last)
            continue;
        last = (*zp)->node;
        kswapd_wake(nodes[last], order, gfp_zone(gfp), gfp);
        if (gfp & GFP_THISNODE)
            break;
    }
}

u64 zone_reclaimable(const struct zone *z)
{
    unsigned slot = z->node * MAX_ZONES + z->index;
    u64 n = (u64)(stat_zone_lru(slot, NR_INACTIVE_FILE) + stat_zone_lru(slot, NR_ACTIVE_FILE));
    if (reclaim_swap_room())
        n += (u64)(stat_zone_lru(slot, NR_INACTIVE_ANON) + stat_zone_lru(slot, NR_ACTIVE_ANON));
    return n;
}

/* Counts what waits in the lists of other CPUs, too: whoever retries empties them. */
static bool worth_retry(unsigned node, gfp_t gfp, unsigned order)
{
    for (struct zone **zp = nodes[node]->zonelist; *zp; zp++) {
        struct zone *z = *zp;
        if (z->index > gfp_zone(gfp))
            continue;
        u64 keep = READ_ONCE(z->watermark[WMARK_MIN]) + READ_ONCE(z->lowmem_reserve[gfp_zone(gfp)]);
        u64 all = READ_ONCE(z->nr_free) + zone_reclaimable(z);
        bool ok = all >= keep + (1UL << order) && (order == 0 || watermark_ok(z, order, 0, gfp_zone(gfp), GFP_MEMALLOC));
        trace_reclaim_retry_zone(z, order, zone_reclaimable(z), all, READ_ONCE(z->watermark[WMARK_MIN]), 0, ok);
        if (ok)
            return true;
    }
    return false;
}

static const struct reclaim_ops ops = {
    .reclaim = reclaim_direct, .wake = wake, .worth_retry = worth_retry, .out_of_memory = out_of_memory};

int reclaim_start(void)
{
    for (unsigned n = 0; n < nr_nodes; n++) {
        struct reclaim_state *s = &reclaim_states[n];
        s->node = nodes[n];
        waitq_init(&s->kswapd_wait);
        waitq_init(&s->reserve_wait);
        for (unsigned t = 0; t < NR_THROTTLES; t++)
            waitq_init(&s->throttle_wait[t]);
    }
    phys_reclaim_ops = &ops;
    for (unsigned n = 0; n < nr_nodes; n++) {
        char name[16];
        fmt_print(name, sizeof(name), "kswapd%u", n);
        reclaim_states[n].running = true;
        if (!kthread_start(kswapd, &reclaim_states[n], name))
            return -ENOMEM;
    }
    return 0;
}
