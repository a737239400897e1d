/* SPDX-License-Identifier: MIT */
/*
 * LRU membership: every page that could be reclaimed is on exactly one list of one shard of its node's lruvec from the
 * moment it is charged until it is freed. The shard is (frame number / 64) % LRU_SHARDS, so that it needs no storage.
 */
#ifndef MM_LRU_H
#define MM_LRU_H
#include <mm/phys.h>

/* Puts a page (refcount held, not PG_lru) on the list its flags name: anon/file by PG_swapbacked, active by PG_active. */
void lru_add(struct page *page);
/* Takes the page off (PG_lru set) and adjusts the gauges. */
void lru_remove(struct page *page);
/* Second touch: referenced becomes active. */
void lru_mark_accessed(struct page *page);
/* Drops one reference of each page; those that reach 0 leave their lruvec (one lock for runs) and are freed. n <= 512. */
void page_put_batch(struct page **pages, unsigned n);
const char *lru_validate(void);
#endif
