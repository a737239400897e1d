/* SPDX-License-Identifier: MIT */
/*
 * LRU membership: every page that could be reclaimed is on exactly one list of one shard of its node's lruvec from the
 * moment it is charged until it is freed. The shard is (frame number / 64) % LRU_SHARDS, so that it needs no storage.
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
/* Second touch: referenced becomes active. */
void lru_mark_accessed(struct page *page);
/* Drops one reference of each page; those that reach 0 leave their lruvec (one lock for runs) and are freed. n <= 512. */
void page_put_batch(struct page **pages, unsigned n);
const char *lru_validate(void);

static inline struct lru_shard *lru_shard_of(const struct page *page)
{
    return &nodes[page_node(page)]->lruvec.shard[page_to_pfn(page) / 64 % LRU_SHARDS];
}

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
