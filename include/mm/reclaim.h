/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: pages that nobody has used for long make room for others. Bodies in mm/reclaim/.
 *
 *   allocation below the low watermark ── wakes ──> kswapd of the node ──┐
 *   allocation below min ──> direct reclaim ──────────────────────────────┴──> scan.c: lists ──> shrink.c: pages
 *                                                                          └──> shrinker.c: caches of objects
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H
#include <mm/phys.h>

/* From here on memory that runs short is reclaimed: starts a kswapd for each node. 0 or -ENOMEM. Once, after mm_boot(). */
int reclaim_start(void);

/* /proc/sys/vm. swappiness: 0 .. 200, the cost of reading a page of a file again against that of swapping one in. */
extern u64 sysctl_swappiness, sysctl_vfs_cache_pressure;

/* A page of the node was activated or evicted: pages that are not there have become that much older. */
void workingset_age(unsigned node, u64 n);
/* What is left in the place of a page that is reclaimed: a value below 2^63 (xa_mk_value). */
u64 workingset_evicted(struct page *page);
/* The page comes back. It is not on a list yet, and begins as active one if it had been here but for lack of memory. */
void workingset_refaulted(struct page *page, u64 shadow);
/* The same for a page that goes to swap: 32 bits, the rest of its slot's word; 0: none. */
u32 workingset_evicted_swap(struct page *page);
void workingset_refaulted_swap(struct page *page, u32 shadow);
/* Would a page come back as active one now? */
bool workingset_is_recent(u64 shadow, bool file);

/* A node of a file's tree has got or lost values; its tree_lock held. Nodes that hold nothing but shadows go when they are too many. */
struct xa_node;
void shadow_note_values(struct xa_node *node);
void shadow_boot(void);

/* kswapd has given the node up: nothing in it can be reclaimed (/proc/zoneinfo). */
bool reclaim_node_given_up(unsigned node);

/*
 * Reclaims these pages now if nobody holds them, whoever used them (MADV_PAGEOUT). Each is isolated (lru_isolate_page); they are freed
 * or put back. Returns how many went. May sleep.
 */
u64 reclaim_pages(struct page **pages, unsigned n);
#endif
