/* SPDX-License-Identifier: MIT */
/*
 * LRU membership: every page that could be reclaimed is on exactly one list of one shard of its node's lruvec from the
 * moment it is charged until it is freed, but for while somebody has isolated it. Pages with PG_swapbacked are in the shard
 * (frame number / 64) % LRU_SHARDS, so that it needs no storage; all others are in LRU_FILE_SHARD, so that they leave in the order
 * in which they came.
 */
#ifndef MM_LRU_H
#define MM_LRU_H
#include <mm/phys.h>
#include <mm/stat.h>

/* Puts a page (refcount held, not PG_lru) on the list its flags name: anon/file by PG_swapbacked, active by PG_active. */
void lru_add(struct page *page);
/* Takes the page off (PG_lru set) and adjusts the gauges. */
void lru_remove(struct page *page);
/* A page moves to the unevictable list (and is not active any more) or back. True when it was on the other. */
bool lru_set_unevictable(struct page *page, bool unevictable);
/*
 * A program has used the page by a system call. The second time it becomes active; further times only count once it is active, so
 * callers may leave out what lru_is_hot().
 */
static inline bool lru_is_hot(u32 flags)
{
    return (flags & (1u << PG_referenced | 1u << PG_active)) == (1u << PG_referenced | 1u << PG_active);
}
void lru_mark_accessed(struct page *page);
/* Drops one reference of each page; those that reach 0 leave their lruvec (one lock for runs) and are freed. n <= 512. */
void page_put_batch(struct page **pages, unsigned n);
const char *lru_validate(void);

/* flags: the page's. */
static inline struct lru_shard *lru_shard_of(const struct page *page, u32 flags)
{
    unsigned i = flags & 1u << PG_swapbacked ? page_to_pfn(page) / 64 % LRU_SHARDS : LRU_FILE_SHARD;
    return &nodes[page_node(page)]->lruvec.shard[i];
}

/*
 * Takes up to nr pages from the end of a list: off their list (PG_lru clear), with a reference, counted as isolated; the oldest
 * first. Pages of zones above `zone` and pages that are just being freed go to the list's head instead. *scanned: pages looked at.
 * Returns how many. nr <= LRU_BATCH.
 */
#define LRU_BATCH 32
unsigned lru_isolate(struct node *node, enum lru_list list, unsigned nr, enum zone_type zone, bool unmapped_only,
                     struct page **out, unsigned *scanned);
/* The page itself; false: it is on no list, or nobody has a reference any more. */
bool lru_isolate_page(struct page *page);
/* Puts isolated pages on the lists that their flags now name, at the head, the first one deepest, and drops their references. */
void lru_putback(struct page **pages, unsigned n);
/* n isolated pages of one kind and node are isolated no more: they were freed. */
void lru_isolated_freed(struct page *page);
/*
 * Write-back of a page ends that reclaim has met (PG_reclaim): before reclaim looks at a list again, the page goes to the end of the
 * inactive one. Any context, interrupts too.
 */
void lru_rotate_later(const struct page *page);
/* To the head of the inactive list, neither active nor referenced: MADV_COLD. */
void lru_deactivate(struct page *page);
/* Clean anonymous page that may vanish (MADV_FREE): loses PG_swapbacked and goes to the inactive list of files. */
void lru_lazyfree(struct page *page);
/* Pages on a list of the node, in zones up to `zone`. */
u64 lru_size(unsigned node, enum lru_list list, enum zone_type zone);

/*
 * lru_add for a page of the node that nobody else can see yet and that has PG_lru already; list is what its flags name. Each
 * anonymous fault runs this, so the contended case is apart.
 */
void lru_add_fresh_contended(struct lru_shard *shard, struct page *page, enum lru_list list);
static inline void lru_add_fresh(struct page *page, unsigned node, enum lru_list list)
{
    struct lru_shard *shard = &nodes[node]->lruvec.shard[page_to_pfn(page) / 64 % LRU_SHARDS];
    cpu_local()->zone_lru[page_zone_slot(page)][list]++;
    if (unlikely(!spin_trylock(&shard->lock))) {
        lru_add_fresh_contended(shard, page, list);
        return;
    }
    page_list_add(&shard->list[list], page);
    spin_unlock(&shard->lock);
}
#endif
