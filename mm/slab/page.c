/* SPDX-License-Identifier: MIT */
/*
 * Slabs: groups of 2^order pages cut into objects of one cache.
 *
 *      |obj 0|obj 1|obj 2|obj 3|obj 4|  never used  |
 *         ^     |     ^                ^
 *         |     +-----|-> next         fresh
 *         +-----------+ next of 2
 *
 *      struct page of the head    mapcount  objects handed out (also those in per-CPU stacks)
 *                                 index     head of the free list | first never used object << 16
 *                                 owner     the cache
 *
 * Objects are numbered; a free one keeps the number of the next, hidden with the cache's key and
 * its own address, so that neither an overflow nor a use after free can plant a chosen pointer.
 * What does not decode to a number is a corrupted list.
 *
 * Invariants
 *  1. A slab is on `full` if it has no free object, else on `partial`; nr_empty of the latter have
 *     mapcount 0.
 *  2. Free-listed objects + handed out + never used == objects of the slab.
 *  3. A page is freed with mapcount -1 and off both lists.
 * Locks: slab_node.lock of the slab's node.
 */
#include <mm/slab_internal.h>
#include <mm/stat.h>
#include <port/log.h>

static enum node_stat slab_gauge(const struct slab_cache *c)
{
    return (c->flags & SLAB_RECLAIM) ? NR_SLAB_RECLAIMABLE : NR_SLAB_UNRECLAIMABLE;
}

/* Empty slabs that a node keeps: 16 KiB worth. */
static u32 empty_limit(const struct slab_cache *c)
{
    return c->order >= 2 ? 1 : 4u >> c->order;
}

struct page *slab_page_alloc(struct slab_cache *c, gfp_t gfp)
{
    gfp = (gfp & ~(GFP_ZERO | GFP_MOVABLE | GFP_RECLAIMABLE)) | GFP_COMP;
    if (c->flags & SLAB_RECLAIM)
        gfp |= GFP_RECLAIMABLE;
    unsigned order = c->order;
    struct page *page = NULL;
    if (order > c->min_order) {
        page = alloc_pages((gfp & ~(GFP_RECLAIM | GFP_NOFAIL)) | GFP_NOWARN, order);
        if (!page)
            order = c->min_order;
    }
    if (!page)
        page = alloc_pages(gfp, order);
    if (!page)
        return NULL;
    WRITE_ONCE(page->flags, page->flags | (1u << PG_slab));
    page->owner = (u64)(uptr)c;
    page->mapcount = 0;
    page->index = slab_index(SLAB_NONE, 0);
    stat_node_add(page_node(page), slab_gauge(c), 1L << order);
    return page;
}

static void slab_page_free_rcu(struct rcu_head *head)
{
    struct page *page = container_of(head, struct page, rcu);
    free_pages(page, page_order(page));
}

/* An empty slab, off its list, goes back. */
static void slab_page_free(struct slab_cache *c, struct page *page)
{
    stat_node_add(page_node(page), slab_gauge(c), -(1L << page_order(page)));
    page->mapcount = -1;
    if (c->flags & SLAB_RCU)
        rcu_call(&page->rcu, slab_page_free_rcu);
    else
        free_pages(page, page_order(page));
}

void slab_page_add(struct slab_cache *c, struct page *page)
{
    struct slab_node *n = &c->node[page_node(page)];
    spin_lock(&n->lock);
    page_list_add(&n->partial, page);
    n->nr_objs += slab_page_objs(c, page);
    n->nr_empty++;
    spin_unlock(&n->lock);
}

/* n free objects of a slab that has so many. */
static void slab_pop(struct slab_cache *c, struct page *page, void **out, u32 n)
{
    u32 head = slab_index_head(page), fresh = slab_index_fresh(page), i = 0;
    char *base = page_to_virt(page);
    for (; i < n && head != SLAB_NONE; i++) {
        void *obj = base + head * c->stride;
        u64 next = slab_link_code(c, obj, *slab_link(c, obj));
        if (unlikely(next >= fresh && next != SLAB_NONE))
            panic("slab %s: free list of object %p is corrupted", c->name, obj);
        head = (u32)next;
        out[i] = obj;
    }
    ASSERT(fresh + (n - i) <= slab_page_objs(c, page)); /* invariant 2 */
    char *obj = base + fresh * c->stride;
    fresh += n - i;
    for (; i < n; i++, obj += c->stride)
        out[i] = obj;
    page->index = slab_index(head, fresh);
    page->mapcount += (s32)n;
}

static u32 take_from_node(struct slab_cache *c, struct slab_node *n, void **out, u32 want)
{
    u32 got = 0;
    spin_lock(&n->lock);
    while (got < want) {
        struct page *page = page_list_first(&n->partial);
        if (!page)
            break;
        u32 objs = slab_page_objs(c, page), free = objs - (u32)page->mapcount;
        u32 take = min(want - got, free);
        n->nr_empty -= free == objs;
        slab_pop(c, page, out + got, take);
        got += take;
        if (take == free) {
            page_list_remove(&n->partial, page);
            page_list_add(&n->full, page);
        }
    }
    spin_unlock(&n->lock);
    return got;
}

u32 slab_take(struct slab_cache *c, void **out, u32 n)
{
    unsigned here = mem_cpu_node(cpu_id());
    u32 got = take_from_node(c, &c->node[here], out, n);
    for (unsigned node = 0; !got && node < nr_nodes; node++)
        if (node != here)
            got = take_from_node(c, &c->node[node], out, n);
    return got;
}

static __noinline_fn __noreturn_fn void bad_object(struct slab_cache *c, const void *obj,
                                                   const char *why)
{
    panic("slab %s: freeing %p: %s", c->name, obj, why);
}

/* Returns the first objects of obj[0..nr) that lie in this slab to it. Returns how many. */
static u32 slab_push(struct slab_cache *c, struct page *page, void **obj, u32 nr)
{
    char *base = page_to_virt(page);
    u64 bytes = PAGE_SIZE << page_order(page);
    u32 head = slab_index_head(page), fresh = slab_index_fresh(page), used = (u32)page->mapcount,
        n = 0;
    do {
        u64 offset = (u64)((char *)obj[n] - base);
        if (offset >= bytes)
            break;
        u32 i = (u32)((offset * c->reciprocal) >> 32);
        if (unlikely(used == 0 || i == head))
            bad_object(c, obj[n], "it is free already");
        if (unlikely(i * c->stride != offset || i >= fresh))
            bad_object(c, obj[n], "no object begins there");
        *slab_link(c, obj[n]) = slab_link_code(c, obj[n], head);
        head = i;
        used--;
    } while (++n < nr);
    page->index = slab_index(head, fresh);
    page->mapcount = (s32)used;
    return n;
}

/* A slab became empty: keeps it at the end of the list, or takes it off and puts it on `doomed`. */
static void slab_emptied(struct slab_cache *c, struct slab_node *n, struct page *page,
                         struct page_list *doomed)
{
    page_list_remove(&n->partial, page);
    if (n->nr_empty < empty_limit(c)) {
        n->nr_empty++;
        /* Nothing of it is in use: it starts anew, in address order. */
        page->index = slab_index(SLAB_NONE, 0);
        page_list_add_tail(&n->partial, page);
        return;
    }
    n->nr_objs -= slab_page_objs(c, page);
    page_list_add(doomed, page);
}

static u64 free_doomed(struct slab_cache *c, struct page_list *doomed)
{
    u64 pages = 0;
    struct page *page;
    while ((page = page_list_first(doomed))) {
        page_list_remove(doomed, page);
        pages += 1UL << page_order(page);
        slab_page_free(c, page);
    }
    return pages;
}

void slab_give(struct slab_cache *c, void **obj, u32 nr)
{
    struct slab_node *n = NULL;
    struct page_list doomed;
    page_list_init(&doomed);
    for (u32 i = 0; i < nr;) {
        struct page *page = page_head(virt_to_page(obj[i]));
        if (unlikely(!page_test(page, PG_slab) || slab_page_cache(page) != c))
            bad_object(c, obj[i], "it is not of this cache");
        struct slab_node *home = &c->node[page_node(page)];
        if (home != n) {
            if (n)
                spin_unlock(&n->lock);
            n = home;
            spin_lock(&n->lock);
        }
        bool was_full = (u32)page->mapcount == slab_page_objs(c, page);
        i += slab_push(c, page, obj + i, nr - i);
        if (was_full) {
            page_list_remove(&n->full, page);
            page_list_add(&n->partial, page);
        }
        if (page->mapcount == 0)
            slab_emptied(c, n, page, &doomed);
    }
    if (n)
        spin_unlock(&n->lock);
    free_doomed(c, &doomed);
}

u64 slab_free_empty(struct slab_cache *c)
{
    struct page_list doomed;
    page_list_init(&doomed);
    for (unsigned i = 0; i < nr_nodes; i++) {
        struct slab_node *n = &c->node[i];
        spin_lock(&n->lock);
        u32 prev;
        for (u32 pfn = n->partial.tail; pfn && n->nr_empty; pfn = prev) {
            struct page *page = pfn_to_page(pfn);
            prev = page->prev;
            if (page->mapcount)
                continue;
            page_list_remove(&n->partial, page);
            n->nr_objs -= slab_page_objs(c, page);
            n->nr_empty--;
            page_list_add(&doomed, page);
        }
        spin_unlock(&n->lock);
    }
    return free_doomed(c, &doomed);
}

void *slab_object_of(struct slab_cache *c, struct page *head, const void *p)
{
    char *base = page_to_virt(head);
    u32 i = (u32)(((u64)((const char *)p - base) * c->reciprocal) >> 32);
    return base + i * c->stride;
}
