/* SPDX-License-Identifier: MIT */
/* What the files of mm/slab share with each other and with nobody else. */
#ifndef MM_SLAB_INTERNAL_H
#define MM_SLAB_INTERNAL_H
#include <mm/phys.h>
#include <mm/slab.h>

/* ---- page.c: slabs ---- */

#define SLAB_MAX_ORDER 3
#define SLAB_NONE      0xffffu /* end of a free list */

/* A new slab, on no list; NULL when out of memory. May sleep with GFP_RECLAIM. */
struct page *slab_page_alloc(struct slab_cache *c, gfp_t gfp);
/* Puts a new slab on its node's partial list. */
void slab_page_add(struct slab_cache *c, struct page *page);
/*
 * Up to n objects from the partial lists, those of this CPU's node first. Returns how many. Never
 * sleeps.
 */
u32 slab_take(struct slab_cache *c, void **out, u32 n);
/*
 * Gives n objects back to their slabs, and slabs that became empty beyond a few to the page
 * allocator. Never sleeps.
 */
void slab_give(struct slab_cache *c, void **obj, u32 n);
/* Frees all empty slabs. Returns pages. */
u64 slab_free_empty(struct slab_cache *c);
/* The start of the object that p points into, in a slab. */
void *slab_object_of(struct slab_cache *c, struct page *head, const void *p);

static inline struct slab_cache *slab_page_cache(const struct page *page)
{
    return (struct slab_cache *)(uptr)page->owner;
}
static inline u32 slab_page_objs(const struct slab_cache *c, const struct page *page)
{
    return page_order(page) == c->order ? c->objs : c->min_objs;
}
/* page->index of a slab: first free object below, first object never used above. */
static inline u32 slab_index(u32 head, u32 fresh)
{
    return head | (fresh << 16);
}
static inline u32 slab_index_head(const struct page *page)
{
    return page->index & 0xffff;
}
static inline u32 slab_index_fresh(const struct page *page)
{
    return page->index >> 16;
}
static inline u64 *slab_link(const struct slab_cache *c, void *obj)
{
    return (u64 *)((char *)obj + c->link);
}
/* A link as it is stored, and back: the same operation. */
static inline u64 slab_link_code(const struct slab_cache *c, const void *obj, u64 next)
{
    return next ^ c->key ^ __builtin_bswap64((u64)(uptr)obj);
}

/* ---- cache.c ---- */
extern struct list_head slab_caches;
extern struct mutex slab_caches_lock; /* the list, ids, and emptying of stacks */
/*
 * Takes the per-CPU stacks of a cache away / gives them back. slab_caches_lock held; freeze sleeps.
 */
void slab_freeze(struct slab_cache *c, struct slab_cpu **held);
void slab_thaw(struct slab_cache *c, struct slab_cpu **held);
int kmalloc_boot(void);
#endif
