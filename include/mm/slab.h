/* SPDX-License-Identifier: MIT */
/*
 * Slab: object caches over pages, with a per-CPU stack of free objects; kmalloc by size class;
 * vmalloc. Nothing here is called from interrupts. Bodies in mm/slab/.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H
#include <mm/gfp.h>
#include <port/lock.h>
#include <port/mem.h>

struct slab_cache;
#define SLAB_RECLAIM 1u /* counted as SReclaimable */
#define SLAB_RCU                                                                                   \
    2u /* freed objects keep their type until a grace period has passed (pages are freed by RCU) */
#define SLAB_ZERO_ON_FREE 4u

/*
 * align 0 = 8 (16 from 16 bytes on). NULL when out of memory. name must stay. Merging of like
 * caches is the callee's choice.
 */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align, u32 flags);
/* -EBUSY when objects are still in use. */
int slab_cache_destroy(struct slab_cache *);
/*
 * Uninitialised object (GFP_ZERO clears it), or NULL. Sleeps only with GFP_RECLAIM. Inline: a pop
 * from this CPU's stack.
 */
static inline void *slab_alloc(struct slab_cache *, gfp_t gfp);
/* Inline: a push. Never sleeps. */
static inline void slab_free(struct slab_cache *, void *obj);
/*
 * Empties the per-CPU stacks and frees the empty slabs of a cache / of all caches. Returns pages
 * freed. May sleep.
 */
u64 slab_shrink(struct slab_cache *);
u64 slab_shrink_all(void);
/* Frees the empty slabs of all caches, but not what the CPUs' stacks hold. Pages freed; 0 when somebody else is at it. Does not wait. */
u64 slab_trim(void);

/*
 * Up to 4 MiB; NULL when out of memory. kfree(NULL) does nothing. Alignment: power-of-two sizes are
 * naturally aligned. kmalloc(0) is a pointer to no bytes that kfree takes.
 */
static inline void *kmalloc(size_t size, gfp_t gfp);
static inline void *kzalloc(size_t size, gfp_t gfp);
void *krealloc(void *p, size_t size, gfp_t gfp);
void kfree(const void *p);
size_t ksize(const void *p);
/*
 * Frees the object that holds head, at that offset, after a grace period. Kmalloc'd or from a
 * cache.
 */
void kfree_rcu_head(struct rcu_head *head, size_t offset_in_object);
char *kstrdup(const char *s, gfp_t gfp);
/* kmalloc, or vmalloc for large sizes. May sleep. */
void *kvmalloc(size_t size, gfp_t gfp);
void kvfree(const void *p);

/*
 * Virtually contiguous kernel memory, page granular, with an unmapped guard page behind it. May
 * sleep.
 */
void *vmalloc(size_t size);
void vfree(const void *p);
bool is_vmalloc_addr(const void *p);
struct page *vmalloc_to_page(const void *p);

/* For /proc/slabinfo and validators: calls fn for each cache. */
struct slab_info {
    const char *name;
    /* active_objs: in use, without those that wait in per-CPU stacks */
    u64 active_objs, num_objs, obj_size, objs_per_slab, pages_per_slab, active_slabs, num_slabs;
};
void slab_for_each(void (*fn)(void *ctx, const struct slab_info *),
                   void *ctx); /* fn may not sleep */
struct vmalloc_info {
    u64 start, end; /* guard page included */
    u64 pages;
    bool unpurged; /* freed, its addresses wait for the flush */
    u32 node_pages[MAX_NODES];
};
/* fn gets each area, lowest first; it may not sleep. */
void vmalloc_for_each(void (*fn)(void *ctx, const struct vmalloc_info *), void *ctx);
struct vmalloc_stats {
    u64 used_pages;   /* in areas that are in use */
    u64 cached_pages; /* in freed areas that keep their pages for the next of the same size */
    u64 lazy_pages;   /* of address space, guard pages included, that wait for a flush */
    u64 total_bytes;  /* of the window */
};
void vmalloc_stats(struct vmalloc_stats *out);
/* Gives the pages of cached areas and the addresses of freed ones back. Returns pages freed. */
u64 vmalloc_purge(void);
const char *vmalloc_validate(void);
const char *slab_validate(void);
/* Objects in use of one cache, exact while nobody else runs. */
u64 slab_in_use(struct slab_cache *);
int slab_boot(void);
int vmalloc_boot(void);

#include <mm/slab_inline.h>
#endif
