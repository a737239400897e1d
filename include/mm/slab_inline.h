/* SPDX-License-Identifier: MIT */
/* The fast paths of mm/slab.h. Included by it and by nobody else. */
#ifndef MM_SLAB_INLINE_H
#define MM_SLAB_INLINE_H
#include <mm/page_list.h>
#include <mm/percpu.h>
#include <mm/trace.h>
#include <lib/list.h>
#include <port/failpoint.h>

/* One CPU's stack of free objects of one cache. */
struct slab_cpu {
    u32 count, cap;
    void *obj[];
};

struct slab_node {
    spinlock_t lock;          /* lists, counts, and the free lists of the slabs of this node */
    struct page_list partial; /* slabs with free objects, empty ones last */
    struct page_list full;
    u64 nr_objs;
    u32 nr_empty;
};

struct slab_cache {
    u32 id;
    u32 flags;            /* SLAB_* */
    u32 size;             /* bytes asked for */
    u32 stride;           /* bytes from object to object */
    u32 reciprocal;       /* 2^32 / stride, rounded up */
    u16 link;             /* where a free object keeps its link */
    u16 mag_cap;          /* objects in a per-CPU stack, 0: none */
    u8 order, min_order;  /* pages of a slab: 2^order, 2^min_order when memory is short */
    u16 objs, min_objs;   /* objects of such a slab */
    bool stack_of_stacks; /* serves the per-CPU stacks themselves */
    u64 key;              /* hides the links */
    const char *name;
    struct list_head list;   /* all caches */
    struct slab_node node[]; /* nr_nodes of them */
};

void *slab_alloc_slow(struct slab_cache *c, gfp_t gfp);
void slab_free_slow(struct slab_cache *c, void *obj);
void *kmalloc_large(size_t size, gfp_t gfp);

/* A free object is nobody's, but for its link. Under RCU it stays what it was. */
static inline void slab_poison(const struct slab_cache *c, const void *obj)
{
    if (c->flags & SLAB_RCU)
        return;
    mem_poison(obj, c->link);
    mem_poison((const char *)obj + c->link + 8, c->stride - c->link - 8);
}

/* slab_alloc() and kmalloc(), but for their trace points. */
static __always_inline_fn void *slab_alloc_quiet(struct slab_cache *c, gfp_t gfp)
{
    void *obj = NULL;
    if (failpoint_hit(FAIL_SLAB_ALLOC) && !(gfp & GFP_NOFAIL))
        return NULL;
    rcu_read_lock();
    struct slab_cpu *m = load_acquire(&cpu_local()->slab[c->id]);
    u32 n = m->count;
    if (likely(n)) {
        obj = m->obj[n - 1];
        WRITE_ONCE(m->count, n - 1);
    }
    rcu_read_unlock();
    if (unlikely(!obj))
        return slab_alloc_slow(c, gfp);
    mem_unpoison(obj, c->stride);
    if (gfp & GFP_ZERO)
        memset(obj, 0, c->size);
    return obj;
}

static inline void *slab_alloc(struct slab_cache *c, gfp_t gfp)
{
    void *obj = slab_alloc_quiet(c, gfp);
    trace_kmem_cache_alloc(c, obj, gfp);
    return obj;
}

static __always_inline_fn void slab_free_quiet(struct slab_cache *c, void *obj)
{
    rcu_read_lock();
    struct slab_cpu *m = load_acquire(&cpu_local()->slab[c->id]);
    u32 n = m->count;
    void **top = m->obj + n;
    /* top[-1] of an empty stack is its count and cap, which is no pointer. */
    if (likely(n < m->cap && top[-1] != obj && !(c->flags & SLAB_ZERO_ON_FREE))) {
        slab_poison(c, obj);
        *top = obj;
        WRITE_ONCE(m->count, n + 1);
    } else {
        slab_free_slow(c, obj);
    }
    rcu_read_unlock();
}

static inline void slab_free(struct slab_cache *c, void *obj)
{
    trace_kmem_cache_free(c, obj);
    slab_free_quiet(c, obj);
}

#define KMALLOC_MAX_CACHED 8192
#define KMALLOC_CLASSES    13
/* 8 16 32 64 96 128 192 256 512 1k 2k 4k 8k */
extern struct slab_cache *kmalloc_caches[KMALLOC_CLASSES];
extern const u8 kmalloc_small_class[24]; /* by (size - 1) / 8, size <= 192 */

/* 1 <= size <= KMALLOC_MAX_CACHED */
static __always_inline_fn unsigned kmalloc_class(size_t size)
{
    if (__builtin_constant_p(size))
        return size <= 8      ? 0
               : size <= 16   ? 1
               : size <= 32   ? 2
               : size <= 64   ? 3
               : size <= 96   ? 4
               : size <= 128  ? 5
               : size <= 192  ? 6
               : size <= 256  ? 7
               : size <= 512  ? 8
               : size <= 1024 ? 9
               : size <= 2048 ? 10
               : size <= 4096 ? 11
                              : 12;
    if (size <= 192)
        return kmalloc_small_class[(size - 1) / 8];
    return fls_u64(size - 1);
}
BUILD_ASSERT(KMALLOC_CLASSES == 13); /* fls(192) is 7, the class of 256; fls(8191) is 12 */

/* What kmalloc(0) returns. */
#define KMALLOC_ZERO_PTR ((void *)16)

static inline void *kmalloc(size_t size, gfp_t gfp)
{
    if (unlikely(size - 1 >= KMALLOC_MAX_CACHED))
        return size ? kmalloc_large(size, gfp) : KMALLOC_ZERO_PTR;
    struct slab_cache *c = kmalloc_caches[kmalloc_class(size)];
    void *p = slab_alloc_quiet(c, gfp);
    trace_kmalloc(p, size, c->stride, gfp);
    return p;
}
static inline void *kzalloc(size_t size, gfp_t gfp)
{
    return kmalloc(size, gfp | GFP_ZERO);
}
#endif
