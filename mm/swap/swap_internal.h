/* SPDX-License-Identifier: MIT */
/* What the files of mm/swap share: the words of slots. */
#ifndef MM_SWAP_INTERNAL_H
#define MM_SWAP_INTERNAL_H
#include <mm/swap.h>
#include <port/log.h>

#define SWAP_CLUSTER 256 /* slots */

#define SLOT_BAD    (1UL << 63) /* not to be used, and nothing else is set */
#define SLOT_CACHED (1UL << 62) /* the low half is a frame number, else a shadow */
#define SLOT_TAKEN  (1UL << 61) /* from swap_slot_alloc() to swap_slot_release(): till then nobody else gets the slot */
#define SLOT_LOW    0xffffffffUL
#define SLOT_ONE    (1UL << 32)
#define SLOT_COUNT  (0xffffffUL << 32) /* more than there can be processes */
#define SLOT_USED   (SLOT_COUNT | SLOT_CACHED)

static inline u32 slot_count(u64 word)
{
    return (u32)((word & SLOT_COUNT) >> 32);
}

enum cluster_state {
    CLUSTER_FULL,    /* on no list */
    CLUSTER_EMPTY,   /* a->empty */
    CLUSTER_PARTIAL, /* a->partial */
    CLUSTER_OWNED,   /* some CPU fills it */
    CLUSTER_DISCARD, /* a->discard, or just being discarded */
};
struct swap_cluster {
    u32 next, prev; /* number + 1 */
    u16 used;       /* slots in use, or bad */
    u8 state;
};

/* The area of a number; NULL: none. Inside RCU, or while it is known that one of its slots is in use (W6). */
extern struct swap_area *swap_areas[MAX_SWAP_AREAS];
static inline struct swap_area *swap_area_of(swp_entry_t e)
{
    return swp_type(e) < MAX_SWAP_AREAS ? load_acquire(&swap_areas[swp_type(e)]) : NULL;
}
/* The word of a slot in use. */
static inline u64 *swap_word(swp_entry_t e)
{
    struct swap_area *a = swap_area_of(e);
    ASSERT(a && swp_offset(e) && swp_offset(e) < a->max);
    return &a->slots[swp_offset(e)];
}

/* Frame number -> slot of its page in the swap cache, 0: none. Made with the first area. */
extern u32 *swap_slot_of_frame;

/* A free slot for page, which becomes its cached page; .v 0: there is none. (slot.c) */
swp_entry_t swap_slot_alloc(pfn_t pfn);
/* The slot has neither entries nor a cached page any more: it is free. (slot.c) */
void swap_slot_release(struct swap_area *a, u64 offset);
/* Puts the clusters of a new area on their lists. (slot.c) */
void swap_clusters_init(struct swap_area *a);

/* page, locked, of no cache, is the cached page of e: gauge, flag, reference. The word says so already. (cache.c) */
void swap_cache_enter(struct page *page, swp_entry_t e);
/* Takes a locked page out and drops the cache's reference, unless keep_ref. (cache.c) */
void swap_cache_leave(struct page *page, u32 shadow, bool keep_ref);

/* A transfer of nothing yet. May sleep. (io.c) */
struct swap_io *swap_io_get(struct swap_area *a, bool write, u64 first);
void swap_io_submit(struct swap_io *io);
/* Puts page, at offset, into the plugged transfer, or a new one. May sleep. (io.c) */
void swap_plug_add(struct swap_plug *plug, struct swap_area *a, bool write, u64 offset, struct page *page);

/* Free slots of the areas that give out slots. (area.c) */
extern s64 swap_nr_free;
/* Off the list: gives out no slots from now on, but for those that are just being given out. (area.c) */
void swap_area_leave(struct swap_area *a);
/* Changes with the list of areas. (slot.c) */
extern u32 swap_epoch;
/* The list of areas that give out slots. */
extern struct list_head swap_list;
extern spinlock_t swap_lock;
#endif
