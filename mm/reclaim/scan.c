/* SPDX-License-Identifier: MIT */
/*
 * Two lists for each kind of page: how much of which is looked at, and what moves from one to the other.
 *
 *   new ──> inactive ── end: used meanwhile? ── yes ──> active ── end ──> inactive (PG_workingset), while inactive is short
 *                             └── no ──> freed, a shadow stays (workingset.c)
 *
 * A pass of priority p looks at 1/2^p of each list. Between anonymous pages and pages of files the share is decided by swappiness
 * and by what reclaiming the one or the other has cost lately (pages that had to be written or came back, pages that
 * were looked at in vain), halved whenever it exceeds a quarter of the lists. While inactive pages of files abound, they go first.
 *
 * Locks: lru_shard.lock for a batch at a time; the costs by that of the file shard.
 */
#include <mm/mlock.h>
#include <mm/rmap.h>
#include <mm/shrinker.h>
#include <mm/vma.h>
#include <mm/writeback.h>
#include <mm/trace.h>
#include <port/log.h>
#include "reclaim_internal.h"

u64 sysctl_swappiness = 60;

#define NR_EVICTABLE 4
static const enum node_stat gauge_of[NR_EVICTABLE] = {NR_INACTIVE_ANON, NR_ACTIVE_ANON, NR_INACTIVE_FILE, NR_ACTIVE_FILE};

static u64 list_size(const struct node *node, enum lru_list list)
{
    return (u64)stat_node_sum(node->id, gauge_of[list]);
}

static u64 isqrt(u64 x)
{
    u64 r = 0;
    for (u64 bit = 1UL << 31; bit; bit >>= 1)
        if ((r + bit) * (r + bit) <= x)
            r += bit;
    return r;
}

/* Active pages may outnumber inactive ones by sqrt(10 * GiB). */
static bool inactive_is_low(const struct node *node, bool file)
{
    enum lru_list list = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
    u64 inactive = list_size(node, list), active = list_size(node, list + 1);
    u64 gib = (inactive + active) >> (30 - PAGE_SHIFT);
    return inactive * (gib ? isqrt(10 * gib) : 1) < active;
}

void reclaim_note_cost(struct node *node, bool file, u64 nr_io, u64 nr_rotated)
{
    struct lruvec *v = &node->lruvec;
    u64 cost = nr_io * LRU_BATCH + nr_rotated, all = 0;
    if (!cost)
        return;
    for (unsigned l = 0; l < NR_EVICTABLE; l++)
        all += list_size(node, l);
    spin_lock(&v->shard[LRU_FILE_SHARD].lock);
    v->cost[file] += cost;
    if (v->cost[0] + v->cost[1] > all / 4) {
        v->cost[0] /= 2;
        v->cost[1] /= 2;
    }
    spin_unlock(&v->shard[LRU_FILE_SHARD].lock);
}

void reclaim_snapshot(struct node *node)
{
    for (unsigned file = 0; file < 2; file++)
        WRITE_ONCE(node->lruvec.refaults[file], (u64)stat_node_sum(node->id, WORKINGSET_ACTIVATE_ANON + file));
}

/* ---- one list ---- */

/* Was the page used through a mapping? Executable code gets another round; *exec says whether it is that. */
static bool used_by_mapping(struct page *page, bool *exec)
{
    u64 vm_flags = 0;
    bool anon = page_is_anon(page);
    *exec = false;
    if (!page_mapped(page))
        return false;
    if (!anon && !page_try_lock(page))
        return true;
    unsigned n = rmap_referenced(page, &vm_flags);
    if (!anon)
        page_unlock(page);
    *exec = n && vm_flags & VM_EXEC;
    return n;
}

static void shrink_active(struct node *node, enum lru_list list, unsigned nr, struct scan_control *sc)
{
    struct page *pages[LRU_BATCH], *stay[LRU_BATCH];
    unsigned scanned, n = lru_isolate(node, list, nr, sc->zone, false, pages, &scanned), nr_stay = 0, nr_go = 0, rotated = 0;
    trace_mm_vmscan_lru_isolate(sc, nr, scanned, n, list);
    stat_event_add(PGREFILL, scanned);
    for (unsigned i = 0; i < n; i++) {
        struct page *page = pages[i];
        bool exec;
        if (unlikely(page_test(page, PG_mlocked))) {
            stay[nr_stay++] = page;
        } else if (used_by_mapping(page, &exec) && exec && !page_test(page, PG_swapbacked)) {
            stay[nr_stay++] = page;
            rotated++;
        } else {
            page_clear(page, PG_active);
            page_set(page, PG_workingset);
            pages[nr_go++] = page;
        }
    }
    lru_putback(stay, nr_stay);
    lru_putback(pages, nr_go);
    stat_event_add(PGDEACTIVATE, nr_go);
    trace_mm_vmscan_lru_shrink_active(node->id, n, nr_stay, nr_go, rotated, sc->priority, lru_is_file(list));
    reclaim_note_cost(node, lru_is_file(list), 0, rotated);
    sched_cond();
}

static bool too_many_isolated(struct node *node, bool file, const struct scan_control *sc)
{
    if (sc->kswapd)
        return false;
    u64 inactive = list_size(node, file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON);
    u64 isolated = (u64)stat_node_sum(node->id, file ? NR_ISOLATED_FILE : NR_ISOLATED_ANON);
    if ((sc->gfp & (GFP_IO | GFP_FS)) == (GFP_IO | GFP_FS))
        inactive >>= 3; /* who can't wait for others' locks may go first */
    return isolated > inactive;
}

static void add_tally(struct scan_tally *to, const struct scan_tally *t, u64 taken, bool file)
{
    to->dirty += t->dirty;
    to->unqueued_dirty += t->unqueued_dirty;
    to->congested += t->congested;
    to->writeback += t->writeback;
    to->immediate += t->immediate;
    to->taken += taken;
    if (file)
        to->file_taken += taken;
}

static u64 shrink_inactive(struct node *node, enum lru_list list, unsigned nr, struct scan_control *sc)
{
    struct page *pages[LRU_BATCH];
    bool file = lru_is_file(list);
    if (unlikely(too_many_isolated(node, file, sc))) {
        reclaim_throttle(node, THROTTLE_ISOLATED);
        if (sched_fatal_signal())
            return LRU_BATCH; /* it will not need the memory */
        if (too_many_isolated(node, file, sc))
            return 0;
    }
    unsigned scanned, n = lru_isolate(node, list, nr, sc->zone, !sc->may_unmap, pages, &scanned);
    trace_mm_vmscan_lru_isolate(sc, nr, scanned, n, list);
    struct shrink_result r = {0};
    struct mm_cpu *cpu = cpu_local();
    cpu->event[sc->kswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT] += scanned;
    cpu->event[PGSCAN_ANON + file] += scanned;
    if (!n)
        return 0;
    unsigned freed = shrink_pages(pages, n, node, sc, &r, false);
    cpu = cpu_local();
    cpu->event[sc->kswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT] += freed;
    cpu->event[PGSTEAL_ANON + file] += freed;
    reclaim_note_cost(node, file, r.pageout, scanned - min(freed, scanned));
    if (r.met.unqueued_dirty == n && r.met.bdi)
        backing_dev_kick_all(r.met.bdi); /* dirty pages come by that nobody is writing */
    add_tally(&sc->tally, &r.met, n, file);
    trace_mm_vmscan_lru_shrink_inactive(node->id, scanned, freed, &r, sc->priority, file);
    return freed;
}

static u64 shrink_list(struct node *node, enum lru_list list, unsigned nr, struct scan_control *sc)
{
    bool active = list == LRU_ACTIVE_ANON || list == LRU_ACTIVE_FILE;
    if (!active)
        return shrink_inactive(node, list, nr, sc);
    if (sc->deactivate[lru_is_file(list)])
        shrink_active(node, list, nr, sc);
    else
        sc->skipped_deactivate = true;
    return 0;
}

/* ---- how much of each ---- */

static void prepare(struct node *node, struct scan_control *sc)
{
    struct lruvec *v = &node->lruvec;
    spin_lock(&v->shard[LRU_FILE_SHARD].lock);
    sc->cost[0] = v->cost[0];
    sc->cost[1] = v->cost[1];
    spin_unlock(&v->shard[LRU_FILE_SHARD].lock);
    /* Pages come back: what is used has changed, and the active lists may be stale. */
    for (unsigned file = 0; file < 2; file++)
        sc->deactivate[file] = sc->force_deactivate || inactive_is_low(node, file) ||
                               (u64)stat_node_sum(node->id, WORKINGSET_ACTIVATE_ANON + file) != READ_ONCE(v->refaults[file]);
    u64 file = list_size(node, LRU_INACTIVE_FILE);
    sc->cache_trim_mode = file >> sc->priority && !sc->deactivate[1] && !sc->no_cache_trim;

    u64 high = 0, free = 0, anon = list_size(node, LRU_INACTIVE_ANON);
    file += list_size(node, LRU_ACTIVE_FILE);
    for (unsigned k = 0; k < MAX_ZONES; k++) {
        free += READ_ONCE(node->zone[k].nr_free);
        if (node->zone[k].managed)
            high += READ_ONCE(node->zone[k].watermark[WMARK_HIGH]);
    }
    sc->file_is_tiny = file + free <= high && !sc->deactivate[0] && anon >> sc->priority;
}

enum balance { SCAN_EQUAL, SCAN_FRACT, SCAN_ANON, SCAN_FILE };

static enum balance choose_balance(const struct scan_control *sc)
{
    if (!sc->may_swap || !reclaim_swap_room())
        return SCAN_FILE;
    if (!sc->priority && sysctl_swappiness)
        return SCAN_EQUAL; /* close to the end: no cleverness */
    if (sc->file_is_tiny)
        return SCAN_ANON;
    return sc->cache_trim_mode ? SCAN_FILE : SCAN_FRACT;
}

static void scan_counts(struct node *node, const struct scan_control *sc, u64 nr[NR_EVICTABLE])
{
    enum balance balance = choose_balance(sc);
    u64 swappiness = READ_ONCE(sysctl_swappiness), total = sc->cost[0] + sc->cost[1];
    u64 cost[2] = {total + sc->cost[0], total + sc->cost[1]};
    total = cost[0] + cost[1];
    u64 share[2] = {swappiness * (total + 1) / (cost[0] + 1), (200 - swappiness) * (total + 1) / (cost[1] + 1)};
    for (unsigned l = 0; l < NR_EVICTABLE; l++) {
        bool file = lru_is_file(l);
        nr[l] = lru_size(node->id, l, sc->zone) >> sc->priority;
        if (balance == SCAN_FRACT)
            nr[l] = nr[l] * share[file] / (share[0] + share[1]);
        else if (balance != SCAN_EQUAL && (balance == SCAN_FILE) != file)
            nr[l] = 0;
    }
}

/*
 * Enough was reclaimed: what is left is scanned so that both kinds keep their shares. The kind with less left is done with; the
 * other one goes on to the same percentage. True: nothing is left.
 */
static bool stop_smaller(u64 nr[NR_EVICTABLE], const u64 targets[NR_EVICTABLE])
{
    u64 anon = nr[LRU_INACTIVE_ANON] + nr[LRU_ACTIVE_ANON], file = nr[LRU_INACTIVE_FILE] + nr[LRU_ACTIVE_FILE];
    if (!anon || !file)
        return true;
    unsigned small = file > anon ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
    unsigned large = file > anon ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
    u64 left = min(anon, file) * 100 / (targets[small] + targets[small + 1] + 1);
    nr[small] = nr[small + 1] = 0;
    for (unsigned l = large; l < large + 2; l++) {
        u64 scanned = targets[l] - nr[l];
        nr[l] = targets[l] * (100 - left) / 100;
        nr[l] -= min(nr[l], scanned);
    }
    return false;
}

static void shrink_lists(struct node *node, struct scan_control *sc)
{
    u64 nr[NR_EVICTABLE], targets[NR_EVICTABLE], freed = 0;
    scan_counts(node, sc, nr);
    memcpy(targets, nr, sizeof(nr));
    bool proportional = !sc->kswapd && sc->priority == DEF_PRIORITY;
    while (nr[LRU_INACTIVE_ANON] || nr[LRU_ACTIVE_FILE] || nr[LRU_INACTIVE_FILE]) {
        for (unsigned l = 0; l < NR_EVICTABLE; l++) {
            unsigned n = (unsigned)min(nr[l], (u64)LRU_BATCH);
            if (!n)
                continue;
            nr[l] -= n;
            sc->nr_scanned += l == LRU_ACTIVE_ANON || l == LRU_ACTIVE_FILE ? 0 : n;
            freed += shrink_list(node, l, n, sc);
        }
        sched_cond();
        if (freed >= sc->nr_to_reclaim && !proportional && stop_smaller(nr, targets))
            break;
    }
    sc->nr_reclaimed += freed;
    reclaim_age_anon(node, sc);
}

void reclaim_age_anon(struct node *node, struct scan_control *sc)
{
    if (reclaim_swap_room() && inactive_is_low(node, false))
        shrink_active(node, LRU_ACTIVE_ANON, LRU_BATCH, sc);
}

/* Dirty and written pages come by: what follows from that for the node. */
static void judge_writeback(struct node *node, const struct scan_control *sc)
{
    const struct scan_tally *t = &sc->tally;
    if (sc->kswapd) {
        if (t->writeback && t->writeback == t->taken)
            node_set_flag(node, NODE_WRITEBACK);
        if (t->unqueued_dirty && t->unqueued_dirty == t->file_taken)
            node_set_flag(node, NODE_DIRTY);
        if (t->immediate)
            reclaim_throttle(node, THROTTLE_WRITEBACK);
        if (t->dirty && t->dirty == t->congested)
            node_set_flag(node, NODE_CONGESTED);
    } else if (node_flag(node, NODE_CONGESTED)) {
        reclaim_throttle(node, THROTTLE_CONGESTED);
    }
}

/* For a block of pages: is it worth going on? What was freed should do so on average within twice the block. */
static bool go_on(struct node *node, u64 freed, const struct scan_control *sc)
{
    if (sc->kswapd || !sc->order || !freed)
        return false;
    for (unsigned k = 0; k <= sc->zone; k++) {
        const struct zone *z = &node->zone[k];
        if (z->managed && watermark_ok(z, sc->order, READ_ONCE(z->watermark[WMARK_MIN]), sc->zone, 0))
            return false;
    }
    u64 inactive = list_size(node, LRU_INACTIVE_FILE) + (reclaim_swap_room() ? list_size(node, LRU_INACTIVE_ANON) : 0);
    return inactive > 2UL << sc->order && sc->nr_reclaimed < 2UL << sc->order;
}

void reclaim_node(struct node *node, struct scan_control *sc)
{
    u64 before;
    do {
        before = sc->nr_reclaimed;
        memset(&sc->tally, 0, sizeof(sc->tally));
        prepare(node, sc);
        shrink_lists(node, sc);
        sc->nr_reclaimed += shrinkers_run(node->id, sc->gfp, sc->priority, sc->kswapd);
        if (sc->nr_reclaimed > before)
            WRITE_ONCE(reclaim_states[node->id].failures, 0);
        else if (sc->cache_trim_mode)
            sc->cache_trim_failed = true;
        judge_writeback(node, sc);
    } while (go_on(node, sc->nr_reclaimed - before, sc));
}
