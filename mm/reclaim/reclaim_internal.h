/* SPDX-License-Identifier: MIT */
/* What the files of mm/reclaim share. */
#ifndef MM_RECLAIM_INTERNAL_H
#define MM_RECLAIM_INTERNAL_H
#include <mm/lru.h>
#include <mm/reclaim.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include <port/sched.h>

#define DEF_PRIORITY         12 /* a scan looks at 1/2^priority of each list; 0: at all */
#define MAX_RECLAIM_FAILURES 16 /* passes without a page until a node is given up */

/* ---- lists: lru.c, isolate.c ---- */

static inline enum lru_list lru_list_of(u32 flags)
{
    unsigned active = (flags >> PG_active) & 1;
    if (unlikely(flags & (1u << PG_unevictable)))
        return LRU_UNEVICTABLE;
    return (flags & (1u << PG_swapbacked) ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE) + active;
}

static inline void lru_count(struct mm_cpu *cpu, const struct page *page, enum lru_list list, s64 n)
{
    cpu->zone_lru[page_zone_slot(page)][list] += n;
}

/* Locks the shard that the page is in, or will be in. */
static inline struct lru_shard *lru_lock_shard(const struct page *page)
{
    for (;;) {
        struct lru_shard *shard = lru_shard_of(page, READ_ONCE(page->flags));
        spin_lock(&shard->lock);
        if (likely(shard == lru_shard_of(page, READ_ONCE(page->flags))))
            return shard;
        spin_unlock(&shard->lock); /* MADV_FREE has just moved it */
    }
}

static inline bool lru_is_file(enum lru_list list)
{
    return list >= LRU_INACTIVE_FILE;
}

/* ---- one pass over a node: scan.c, shrink.c ---- */

struct backing_dev;
struct scan_tally { /* pages met, of one pass */
    u64 dirty, unqueued_dirty, congested, writeback, immediate, file_taken, taken;
    struct backing_dev *bdi; /* of one of those that are dirty */
};

struct scan_control {
    u64 nr_to_reclaim;
    gfp_t gfp;
    u8 order;
    s8 priority;
    u8 zone; /* highest enum zone_type that would help */
    bool kswapd, may_writepage, may_unmap, may_swap;
    bool deactivate[2]; /* the active list of anonymous [0], file pages [1] may be shrunk */
    bool force_deactivate, skipped_deactivate;
    bool cache_trim_mode, cache_trim_failed, no_cache_trim; /* only inactive file pages */
    bool file_is_tiny;
    u64 cost[2];
    u64 nr_scanned, nr_reclaimed;
    struct scan_tally tally;
};

/* Slots that anonymous pages could go to. */
static inline u64 reclaim_swap_room(void)
{
    return (u64)max(swap_free_pages(), 0L);
}

/* What a list of the node has cost: pages that go through a device, and pages that were looked at in vain. */
void reclaim_note_cost(struct node *node, bool file, u64 nr_io, u64 nr_rotated);
/* Reclaims from the node's lists and caches once, at sc->priority, and adds to sc's counts. May sleep. */
void reclaim_node(struct node *node, struct scan_control *sc);
/* A few pages from the active to the inactive list of anonymous memory, if that is short. */
void reclaim_age_anon(struct node *node, struct scan_control *sc);
/* End of a run: remembers what has refaulted so far. */
void reclaim_snapshot(struct node *node);

/* What became of a batch of victims. */
struct shrink_result {
    struct scan_tally met;
    u32 pageout, activated;
    struct swap_plug *plug; /* what is being written to swap */
};
/*
 * Frees those of n isolated pages that may go; the others are put back, active if they were used. ignore_references: whoever
 * asks knows that they are not wanted. Returns pages freed. May sleep.
 */
unsigned shrink_pages(struct page **pages, unsigned n, struct node *node, struct scan_control *sc, struct shrink_result *r,
                      bool ignore_references);

/* ---- nodes: kswapd.c, throttle.c ---- */

enum throttle { THROTTLE_WRITEBACK, THROTTLE_ISOLATED, THROTTLE_NOPROGRESS, THROTTLE_CONGESTED, NR_THROTTLES };
#define NODE_WRITEBACK 1u /* many pages under write-back come by: kswapd stalls at those that were here before */
#define NODE_DIRTY     2u /* only dirty pages come by: kswapd writes itself */
#define NODE_CONGESTED 4u /* who reclaims waits for the device */

struct reclaim_state {
    struct node *node;
    struct waitq kswapd_wait, reserve_wait, throttle_wait[NR_THROTTLES];
    u32 wanted;       /* kswapd: 1 + order << 8 + highest zone << 16, or 0 */
    u32 failures;     /* passes of kswapd without a page */
    u32 flags;        /* NODE_*, atomically */
    u32 throttled;    /* who waits in throttle_wait[THROTTLE_WRITEBACK] */
    u64 written_from; /* NR_WRITTEN when the first of these came */
    bool running;     /* has a kswapd */
};
extern struct reclaim_state reclaim_states[MAX_NODES];

static inline bool node_flag(const struct node *node, u32 flag)
{
    return READ_ONCE(reclaim_states[node->id].flags) & flag;
}
static inline void node_set_flag(const struct node *node, u32 flag)
{
    __atomic_fetch_or(&reclaim_states[node->id].flags, flag, __ATOMIC_RELAXED);
}
static inline void node_clear_flag(const struct node *node, u32 flag)
{
    __atomic_fetch_and(&reclaim_states[node->id].flags, ~flag, __ATOMIC_RELAXED);
}

/* Does a zone up to `zone` hold 2^order pages above its high watermark? True also if there is no such zone. */
bool node_balanced(const struct node *node, unsigned order, unsigned zone);
/* Pages that could be reclaimed from a zone at all. */
u64 zone_reclaimable(const struct zone *z);
/* Sleeps until things have changed, but not long. */
void reclaim_throttle(struct node *node, enum throttle why);
/* After a pass of direct reclaim or kswapd. */
void reclaim_throttle_progress(struct node *node, const struct scan_control *sc);
/* The reserve is nearly empty: waits until kswapd has refilled it. True: the caller is being killed. */
bool reclaim_wait_reserve(unsigned node, gfp_t gfp);
void kswapd_wake(struct node *node, unsigned order, unsigned zone, gfp_t gfp);
u64 reclaim_direct(unsigned node, gfp_t gfp, unsigned order);
#endif
