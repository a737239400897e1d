/* SPDX-License-Identifier: MIT */
/*
 * Pages leave their lists for a while and come back, and move within them.
 *
 *   list ── lru_isolate (a batch from the end) ──> isolated ── lru_putback ──> list its flags name
 *                                                      └────── freed (shrink.c)
 *
 * Which shard the next batch of anonymous pages comes from: that in which the next step of a sequence falls which covers all pages
 * evenly, so that each is scanned in proportion to its length.
 *
 * Invariants: L1 to L3 of lru.c.
 * Locks: lru_shard.lock.
 */
#include <mm/mlock.h>
#include <port/log.h>
#include "reclaim_internal.h"

static void rotate(struct page_list *l, struct page *page)
{
    page_list_remove(l, page);
    page_list_add(l, page);
}

static inline enum node_stat isolated_gauge(u32 flags)
{
    return flags & 1u << PG_swapbacked ? NR_ISOLATED_ANON : NR_ISOLATED_FILE;
}

/* shard->lock held. */
static inline void take_off(struct lru_shard *shard, struct mm_cpu *cpu, struct page *page, enum lru_list list)
{
    page_clear(page, PG_lru);
    page_list_remove(&shard->list[list], page);
    lru_count(cpu, page, list, -1);
}

static unsigned isolate_from(struct lru_shard *shard, enum lru_list list, unsigned nr, enum zone_type zone, bool unmapped_only,
                             struct page **out, unsigned *scanned)
{
    struct page_list *l = &shard->list[list];
    struct mm_cpu *cpu = cpu_local();
    unsigned n = 0, seen = 0;
    spin_lock(&shard->lock);
    for (struct page *page; seen < nr && (page = page_list_last(l)); seen++) {
        if (unlikely(page_zone_index(page) > zone)) {
            cpu->event[PGSKIP_DMA + page_zone_index(page)]++;
            rotate(l, page);
        } else if (unlikely((unmapped_only && page_mapped(page)) || !page_try_get(page))) {
            rotate(l, page);
        } else {
            take_off(shard, cpu, page, list);
            out[n++] = page;
        }
    }
    spin_unlock(&shard->lock);
    *scanned += seen;
    return n;
}

/* A number in [0,total) that, from call to call, goes evenly through all. */
static u64 next_step(u64 *pick, u64 total)
{
    u64 at = __atomic_fetch_add(pick, 0x9e3779b97f4a7c15UL, __ATOMIC_RELAXED);
    return (u64)(((unsigned __int128)at * total) >> 64);
}

static struct lru_shard *pick_shard(struct lruvec *v, enum lru_list list)
{
    if (lru_is_file(list))
        return &v->shard[LRU_FILE_SHARD];
    u64 total = 0;
    for (unsigned i = 0; i < LRU_SHARDS; i++)
        total += READ_ONCE(v->shard[i].list[list].nr);
    if (!total)
        return NULL;
    u64 at = next_step(&v->pick[list], total);
    for (unsigned i = 0; i < LRU_SHARDS; i++) {
        u64 nr = READ_ONCE(v->shard[i].list[list].nr);
        if (at < nr)
            return &v->shard[i];
        at -= nr;
    }
    return NULL; /* they have shrunk meanwhile */
}

/*
 * Pages that were written, until somebody takes them up: frame numbers, 0: free place. When all are taken a page is forgotten, and found
 * again by the usual scan. Without references: a frame that was freed meanwhile has no PG_reclaim, or another one's, which does no harm.
 */
static u32 written_frames[256];
static u32 written_at, written_seen;

void lru_rotate_later(const struct page *page)
{
    u32 free = 0, at = __atomic_fetch_add(&written_at, 1, __ATOMIC_RELAXED) % ARRAY_SIZE(written_frames);
    __atomic_compare_exchange_n(&written_frames[at], &free, (u32)page_to_pfn(page), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static void rotate_reclaimable(struct page *page)
{
    struct lru_shard *shard = lru_lock_shard(page);
    struct mm_cpu *cpu = cpu_local();
    u32 flags = READ_ONCE(page->flags);
    const u32 unfit = 1u << PG_unevictable | 1u << PG_dirty | 1u << PG_writeback;
    if (flags & 1u << PG_lru && flags & 1u << PG_reclaim && !(flags & unfit)) {
        page_clear(page, PG_reclaim);
        enum lru_list list = lru_list_of(flags);
        page_list_remove(&shard->list[list], page);
        lru_count(cpu, page, list, -1);
        page_clear(page, PG_active);
        list = lru_list_of(READ_ONCE(page->flags));
        page_list_add_tail(&shard->list[list], page);
        lru_count(cpu, page, list, 1);
        cpu->event[PGROTATED]++;
    }
    spin_unlock(&shard->lock);
}

static void rotate_written(void)
{
    u32 at = __atomic_load_n(&written_at, __ATOMIC_ACQUIRE);
    if (likely(at == READ_ONCE(written_seen)))
        return;
    WRITE_ONCE(written_seen, at);
    for (unsigned i = 0; i < ARRAY_SIZE(written_frames); i++) {
        u32 pfn = READ_ONCE(written_frames[i]) ? __atomic_exchange_n(&written_frames[i], 0, __ATOMIC_ACQUIRE) : 0;
        if (pfn)
            rotate_reclaimable(pfn_to_page(pfn));
    }
}

unsigned lru_isolate(struct node *node, enum lru_list list, unsigned nr, enum zone_type zone, bool unmapped_only,
                     struct page **out, unsigned *scanned)
{
    ASSERT(nr <= LRU_BATCH);
    unsigned n = 0, tries = lru_is_file(list) ? 1 : LRU_SHARDS;
    *scanned = 0;
    rotate_written();
    for (unsigned i = 0; i < tries && *scanned < nr; i++) {
        struct lru_shard *shard = pick_shard(&node->lruvec, list);
        if (!shard)
            break;
        n += isolate_from(shard, list, nr - *scanned, zone, unmapped_only, out + n, scanned);
    }
    if (n)
        stat_node_add(node->id, lru_is_file(list) ? NR_ISOLATED_FILE : NR_ISOLATED_ANON, n);
    return n;
}

bool lru_isolate_page(struct page *page)
{
    struct lru_shard *shard = lru_lock_shard(page);
    u32 flags = READ_ONCE(page->flags);
    bool ok = flags & 1u << PG_lru && !(flags & 1u << PG_unevictable) && page_try_get(page);
    if (ok) {
        take_off(shard, cpu_local(), page, lru_list_of(flags));
        stat_node_add(page_node(page), isolated_gauge(flags), 1);
    }
    spin_unlock(&shard->lock);
    return ok;
}

/* Whoever locks the page in memory from now on finds PG_lru; whoever did before has left PG_mlocked. shard->lock held. */
static enum lru_list list_to_join(struct page *page)
{
    u32 flags = READ_ONCE(page->flags);
    if (unlikely(flags & 1u << PG_mlocked) && !(flags & 1u << PG_unevictable)) {
        page_clear(page, PG_active);
        page_set(page, PG_unevictable);
        stat_event(UNEVICTABLE_PGCULLED);
        return LRU_UNEVICTABLE;
    }
    return lru_list_of(flags);
}

void lru_putback(struct page **pages, unsigned n)
{
    struct lru_shard *shard = NULL;
    struct mm_cpu *cpu = cpu_local();
    if (!n)
        return;
    for (unsigned i = 0; i < n; i++) {
        struct page *page = pages[i];
        u32 flags = READ_ONCE(page->flags);
        struct lru_shard *own = lru_shard_of(page, flags);
        if (own != shard) {
            if (shard)
                spin_unlock(&shard->lock);
            shard = own;
            spin_lock(&shard->lock);
        }
        enum lru_list list = list_to_join(page);
        page_set(page, PG_lru);
        page_list_add(&shard->list[list], page);
        lru_count(cpu, page, list, 1);
        stat_node_add(page_node(page), isolated_gauge(flags), -1);
    }
    spin_unlock(&shard->lock);
    page_put_batch(pages, n);
}

void lru_isolated_freed(struct page *page)
{
    stat_node_add(page_node(page), isolated_gauge(READ_ONCE(page->flags)), -1);
}

void lru_deactivate(struct page *page)
{
    struct lru_shard *shard = lru_lock_shard(page);
    struct mm_cpu *cpu = cpu_local();
    u32 flags = READ_ONCE(page->flags);
    if (flags & 1u << PG_lru && flags & 1u << PG_active && !(flags & 1u << PG_unevictable)) {
        enum lru_list list = lru_list_of(flags);
        page_list_remove(&shard->list[list], page);
        page_clear(page, PG_active);
        page_clear(page, PG_referenced);
        page_list_add(&shard->list[list - 1], page);
        lru_count(cpu, page, list, -1);
        lru_count(cpu, page, list - 1, 1);
        cpu->event[PGDEACTIVATE]++;
    }
    spin_unlock(&shard->lock);
}

void lru_lazyfree(struct page *page)
{
    struct lru_shard *shard = lru_lock_shard(page);
    struct mm_cpu *cpu = cpu_local();
    u32 flags = READ_ONCE(page->flags);
    bool take = flags & 1u << PG_lru && flags & 1u << PG_swapbacked &&
                !(flags & (1u << PG_unevictable | 1u << PG_swapcache)) && page_is_anon(page);
    if (take)
        take_off(shard, cpu, page, lru_list_of(flags));
    spin_unlock(&shard->lock);
    if (!take)
        return;
    __atomic_fetch_and(&page->flags, ~(1u << PG_active | 1u << PG_referenced | 1u << PG_swapbacked), __ATOMIC_RELEASE);
    lru_add(page);
    stat_event(PGLAZYFREE);
}

u64 lru_size(unsigned node, enum lru_list list, enum zone_type zone)
{
    u64 n = 0;
    for (unsigned k = 0; k <= (unsigned)zone; k++)
        n += (u64)stat_zone_lru(node * MAX_ZONES + k, NR_INACTIVE_ANON + list);
    return n;
}
