/* SPDX-License-Identifier: MIT */
/* What the files of mm/cache share. */
#ifndef MM_CACHE_INTERNAL_H
#define MM_CACHE_INTERNAL_H
#include <mm/cache.h>

/*
 * Puts a fresh page (refcount 1, flags prepared) into the cache at index, taking a reference of its own, on the lruvec.
 * 0; -EEXIST; -ENOMEM; -ENOSPC from ops->reserve. May sleep.
 */
int cache_insert(struct address_space *m, u64 index, struct page *page);
/* Takes a page out: tree, gauges, owner; drops the cache's reference. tree_lock not held. False when it had left already. */
bool cache_remove(struct address_space *m, struct page *page);
#endif
