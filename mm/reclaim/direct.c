/* SPDX-License-Identifier: MIT */
/*
 * Direct reclaim: who finds no page frees some himself.
 *
 *   reserve nearly empty: wait for kswapd ──> priority 12, 11 .. 0 over the nodes of the zonelist, until LRU_BATCH pages are free
 *                                               └── nothing, but active lists were spared: once more without sparing them
 *
 * THREAD_MEMALLOC is set meanwhile: what is allocated inside comes from the reserve and does not reclaim again.
 *
 * Locks: none; the caller may hold any lock that sleeps.
 */
#include <mm/psi.h>
#include <mm/trace.h>
#include "reclaim_internal.h"

static void shrink_nodes(unsigned node, struct scan_control *sc)
{
    struct node *last = NULL, *first = NULL;
    for (struct zone **zp = nodes[node]->zonelist; *zp; zp++) {
        struct node *n = nodes[(*zp)->node];
        if ((*zp)->index > sc->zone || n == last)
            continue;
        last = n;
        first = first ? first : n;
        if (sc->gfp & GFP_THISNODE && n->id != node)
            break;
        reclaim_node(n, sc);
    }
    if (first)
        reclaim_throttle_progress(first, sc);
}

static void snapshot_all(unsigned node)
{
    for (struct zone **zp = nodes[node]->zonelist; *zp; zp++) {
        reclaim_snapshot(nodes[(*zp)->node]);
        node_clear_flag(nodes[(*zp)->node], NODE_CONGESTED);
    }
}

static u64 run(unsigned node, struct scan_control *sc)
{
    for (;;) {
        stat_event(ALLOCSTALL_DMA + sc->zone);
        for (sc->priority = DEF_PRIORITY; sc->priority >= 0; sc->priority--) {
            sc->nr_scanned = 0;
            shrink_nodes(node, sc);
            if (sc->nr_reclaimed >= sc->nr_to_reclaim)
                break;
            if (sc->priority < DEF_PRIORITY - 2)
                sc->may_writepage = true;
        }
        snapshot_all(node);
        if (sc->nr_reclaimed || !sc->skipped_deactivate || sc->force_deactivate)
            return sc->nr_reclaimed;
        sc->force_deactivate = true;
        sc->skipped_deactivate = false;
    }
}

u64 reclaim_direct(unsigned node, gfp_t gfp, unsigned order)
{
    u32 *thread = sched_mem_flags();
    if (*thread & THREAD_NOIO)
        gfp &= ~(GFP_IO | GFP_FS);
    else if (*thread & THREAD_NOFS)
        gfp &= ~GFP_FS;
    struct scan_control sc = {
        .gfp = gfp,
        .nr_to_reclaim = max((u64)LRU_BATCH, 1UL << order),
        .order = (u8)order,
        .zone = (u8)gfp_zone(gfp),
        .may_writepage = true,
        .may_unmap = true,
        .may_swap = true,
    };
    if (reclaim_wait_reserve(node, gfp))
        return 1; /* it is being killed: the allocation looks again, and gives up */
    u64 stall = 0;
    u32 before = *thread;
    psi_memstall_enter(&stall);
    *thread = before | THREAD_MEMALLOC;
    trace_mm_vmscan_direct_reclaim_begin(order, gfp);
    u64 freed = run(node, &sc);
    trace_mm_vmscan_direct_reclaim_end(freed);
    *thread = before;
    psi_memstall_leave(&stall);
    return freed;
}
