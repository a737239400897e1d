/* SPDX-License-Identifier: MIT */
/*
 * Shrinkers: caches of objects that can give some back. Each pass of reclaim asks all for their share: of priority p, 4 / seeks of 1/2^p
 * of what they have. What they could not do is asked for again later (deferred).
 */
#ifndef MM_SHRINKER_H
#define MM_SHRINKER_H
#include <lib/list.h>
#include <mm/gfp.h>

#define SHRINK_STOP (~0UL) /* scan: nothing can be done now */

struct shrinker {
    const char *name;
    /* Objects that could go, of the node. */
    u64 (*count)(struct shrinker *s, unsigned node);
    /* Looks at nr objects; returns how many it freed, or SHRINK_STOP. */
    u64 (*scan)(struct shrinker *s, unsigned node, u64 nr, gfp_t gfp);
    u32 seeks;        /* how dear it is to make an object again: 2 usually, 0: cheap, half of all may go */
    u32 batch;        /* objects at a time; 0: 128 */
    bool kswapd_only; /* scan takes locks or sleeps: only who holds no locks may call it */
    u64 deferred;     /* asked for and not done yet; atomically */
    struct list_head link;
};

void shrinkers_boot(void);
/* s stays for good. Boot, or any context that may sleep. */
void shrinker_register(struct shrinker *s);
/* All shrinkers, for reclaim of a node at this priority. Returns pages that slabs gave back. May sleep only for kswapd. */
u64 shrinkers_run(unsigned node, gfp_t gfp, int priority, bool kswapd);
/* Everything that can go (drop_caches). May sleep. */
void shrinkers_drop_all(void);
#endif
