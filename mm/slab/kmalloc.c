/* SPDX-License-Identifier: MIT */
/*
 * kmalloc: a cache per size class, whole pages above 8 KiB. kfree finds the cache through the
 * struct page.
 *
 *      p ── virt_to_page ── head ── PG_slab: owner is the cache
 *                             └──── else: compound pages of its own, counted as unreclaimable slab
 */
#include <mm/slab_internal.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/stat.h>
#include <port/log.h>

struct slab_cache *kmalloc_caches[KMALLOC_CLASSES];
const u8 kmalloc_small_class[24] = {0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4,
                                    5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6};

int kmalloc_boot(void)
{
    static const struct {
        u16 size;
        const char *name;
    } classes[KMALLOC_CLASSES] = {
        {8, "kmalloc-8"},     {16, "kmalloc-16"},   {32, "kmalloc-32"},   {64, "kmalloc-64"},
        {96, "kmalloc-96"},   {128, "kmalloc-128"}, {192, "kmalloc-192"}, {256, "kmalloc-256"},
        {512, "kmalloc-512"}, {1024, "kmalloc-1k"}, {2048, "kmalloc-2k"}, {4096, "kmalloc-4k"},
        {8192, "kmalloc-8k"},
    };
    for (unsigned i = 0; i < KMALLOC_CLASSES; i++) {
        u64 size = classes[i].size, align = size & -size;
        kmalloc_caches[i] = slab_cache_create(classes[i].name, size, min(align, PAGE_SIZE), 0);
        if (!kmalloc_caches[i])
            return -ENOMEM;
    }
    return 0;
}

void *kmalloc_large(size_t size, gfp_t gfp)
{
    if (size > PAGE_SIZE << MAX_ORDER)
        return NULL;
    unsigned order = size <= PAGE_SIZE ? 0 : fls_u64(size - 1) + 1 - PAGE_SHIFT;
    struct page *page = alloc_pages((gfp & ~GFP_MOVABLE) | GFP_COMP, order);
    if (!page)
        return NULL;
    stat_node_add(page_node(page), NR_SLAB_UNRECLAIMABLE, 1L << order);
    trace_kmalloc(page_to_virt(page), size, PAGE_SIZE << order, gfp);
    return page_to_virt(page);
}

static void kfree_large(struct page *page, const void *p)
{
    if (unlikely(!page_test(page, PG_head) || page_to_virt(page) != p))
        panic("kfree: %p is no allocation", p);
    stat_node_add(page_node(page), NR_SLAB_UNRECLAIMABLE, -(1L << page_order(page)));
    free_pages(page, page_order(page));
}

static __always_inline_fn void kfree_quiet(const void *p)
{
    if (unlikely((uptr)p <= (uptr)KMALLOC_ZERO_PTR))
        return;
    struct page *page = page_head(virt_to_page(p));
    if (likely(page_test(page, PG_slab)))
        slab_free_quiet(slab_page_cache(page), (void *)p);
    else
        kfree_large(page, p);
}

/* As in mm/phys/pcp.c: a call that ends the function. */
static __noinline_fn void kfree_traced(const void *p, u64 caller)
{
    trace_emit_kfree(p, caller);
    kfree_quiet(p);
}

void kfree(const void *p)
{
    if (trace_on(TRACE_kfree))
        kfree_traced(p, (u64)(uptr)__builtin_return_address(0));
    else
        kfree_quiet(p);
}

size_t ksize(const void *p)
{
    if ((uptr)p <= (uptr)KMALLOC_ZERO_PTR)
        return 0;
    struct page *page = page_head(virt_to_page(p));
    return page_test(page, PG_slab) ? slab_page_cache(page)->size : PAGE_SIZE << page_order(page);
}

void *krealloc(void *p, size_t size, gfp_t gfp)
{
    size_t old = ksize(p);
    if (size == 0) {
        kfree(p);
        return KMALLOC_ZERO_PTR;
    }
    if (size <= old)
        return p;
    void *fresh = kmalloc(size, gfp);
    if (!fresh)
        return NULL;
    if (old)
        memcpy(fresh, p, old);
    kfree(p);
    return fresh;
}

static void kfree_rcu_done(struct rcu_head *head)
{
    struct page *page = page_head(virt_to_page(head));
    if (page_test(page, PG_slab))
        kfree(slab_object_of(slab_page_cache(page), page, head));
    else
        kfree(page_to_virt(page));
}

void kfree_rcu_head(struct rcu_head *head, size_t offset_in_object)
{
    rcu_call(head, kfree_rcu_done);
}

char *kstrdup(const char *s, gfp_t gfp)
{
    size_t n = str_len(s) + 1;
    char *copy = kmalloc(n, gfp);
    return copy ? memcpy(copy, s, n) : NULL;
}

void *kvmalloc(size_t size, gfp_t gfp)
{
    if (size <= KMALLOC_MAX_CACHED)
        return kmalloc(size, gfp);
    /* Contiguous pages are a bonus: no reclaim, no complaint for them. */
    void *p = kmalloc(size, (gfp & ~GFP_RECLAIM) | GFP_NOWARN | GFP_NORETRY);
    if (p)
        return p;
    p = vmalloc(size);
    if (p && (gfp & GFP_ZERO))
        memset(p, 0, size);
    return p;
}

void kvfree(const void *p)
{
    if (is_vmalloc_addr(p))
        vfree(p);
    else
        kfree(p);
}
