/* SPDX-License-Identifier: MIT */
/*
 * vmalloc: single pages mapped side by side in the kernel's window, each area followed by an
 * unmapped guard page.
 *
 *                        vfree, small: keeps pages and mapping
 *      USED ----------------------------------> CACHED --- vmalloc of the same size ---> USED
 *        |                                                |
 *        | vfree: entries cleared, pages freed            | too many, or vmalloc_purge
 *        v                                                v
 *      LAZY: addresses not handed out again until one flush for all of them (vmalloc_purge) ---> gone
 *
 * Thread stacks come and go all the time; the cached areas make that a list operation.
 *
 * Invariants
 *  1. Areas do not overlap; the tree holds those of every state, each with its guard page.
 *  2. A page of a LAZY area is already freed; no one may use such an address, so a stale
 *     translation is harmless.
 *  3. An address is given out again only after a flush that began after its entries were cleared.
 * Locks: area_lock guards tree, lists, states and counts. Page tables change outside it: an area
 * has one owner then.
 */
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/slab.h>
#include <mm/stat.h>
#include <lib/errno.h>
#include <lib/range_tree.h>
#include <port/log.h>
#include <port/mmu.h>

enum area_state { AREA_USED, AREA_CACHED, AREA_LAZY };

struct vm_area {
    struct rt_node node;   /* guard page included */
    struct list_head link; /* cached or lazy */
    enum area_state state;
    u32 nr_pages;
    struct page **pages;
};

#define CACHED_MAX_AREAS 32
#define CACHED_MAX_PAGES 8 /* of one area */
#define LAZY_MAX_PAGES   8192

static struct {
    spinlock_t lock;
    struct rt_root areas;
    struct list_head cached, lazy;
    u32 nr_cached;
    u64 start, end; /* the window */
    u64 used_pages, cached_pages, lazy_pages;
    struct slab_cache *area_cache;
} vm;

int vmalloc_boot(void)
{
    memset(&vm, 0, sizeof(vm));
    spin_init(&vm.lock, RANK_SLAB);
    rt_init(&vm.areas);
    list_init(&vm.cached);
    list_init(&vm.lazy);
    mem_vmalloc_range(&vm.start, &vm.end);
    vm.area_cache = slab_cache_create("vmap_area", sizeof(struct vm_area), 0, 0);
    return vm.area_cache ? 0 : -ENOMEM;
}

static struct vm_area *area_of(struct rt_node *n)
{
    return container_of(n, struct vm_area, node);
}

bool is_vmalloc_addr(const void *p)
{
    return (u64)(uptr)p >= vm.start && (u64)(uptr)p < vm.end;
}

static void free_area_pages(struct vm_area *a, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        stat_node_add(page_node(a->pages[i]), NR_VMALLOC, -1);
        free_pages(a->pages[i], 0);
    }
}

static void free_area_struct(struct vm_area *a)
{
    kvfree(a->pages);
    slab_free(vm.area_cache, a);
}

/*
 * Clears the entries of an area that nobody else can reach any more, frees its pages, and leaves
 * its addresses to the purge.
 */
static u64 retire(struct vm_area *a)
{
    u64 pages = a->nr_pages;
    pt_unmap_kernel(a->node.start, pages);
    free_area_pages(a, a->nr_pages);
    spin_lock(&vm.lock);
    a->state = AREA_LAZY;
    WRITE_ONCE(vm.lazy_pages, vm.lazy_pages + pages + 1);
    list_add(&a->link, &vm.lazy);
    spin_unlock(&vm.lock);
    return pages;
}

/* One flush for all lazy areas, then their addresses are free. */
static void purge_lazy(void)
{
    LIST_HEAD(batch);
    u64 lo = U64_MAX, hi = 0;
    struct vm_area *a, *tmp;
    spin_lock(&vm.lock);
    list_for_each_entry_safe (a, tmp, &vm.lazy, link) {
        list_del(&a->link);
        list_add(&a->link, &batch);
        lo = min(lo, a->node.start);
        hi = max(hi, a->node.end);
        WRITE_ONCE(vm.lazy_pages, vm.lazy_pages - a->nr_pages - 1);
    }
    spin_unlock(&vm.lock);
    if (lo >= hi)
        return;
    mmu_flush_kernel(lo, hi);
    spin_lock(&vm.lock);
    list_for_each_entry (a, &batch, link)
        rt_remove(&vm.areas, &a->node);
    spin_unlock(&vm.lock);
    list_for_each_entry_safe (a, tmp, &batch, link)
        free_area_struct(a);
}

static u64 drop_cached(void)
{
    u64 pages = 0;
    for (;;) {
        struct vm_area *a = NULL;
        spin_lock(&vm.lock);
        if (!list_empty(&vm.cached)) {
            a = list_first_entry(&vm.cached, struct vm_area, link);
            list_del(&a->link);
            WRITE_ONCE(vm.nr_cached, vm.nr_cached - 1);
            vm.cached_pages -= a->nr_pages;
        }
        spin_unlock(&vm.lock);
        if (!a)
            return pages;
        pages += retire(a);
    }
}

u64 vmalloc_purge(void)
{
    u64 pages = drop_cached();
    purge_lazy();
    return pages;
}

static struct vm_area *take_cached(u64 pages)
{
    struct vm_area *a;
    spin_lock(&vm.lock);
    list_for_each_entry (a, &vm.cached, link) {
        if (a->nr_pages != pages)
            continue;
        list_del(&a->link);
        a->state = AREA_USED;
        WRITE_ONCE(vm.nr_cached, vm.nr_cached - 1);
        vm.cached_pages -= pages;
        vm.used_pages += pages;
        spin_unlock(&vm.lock);
        return a;
    }
    spin_unlock(&vm.lock);
    return NULL;
}

/* Fills a->pages; when memory is short the cached areas give theirs up. */
static int fill_pages(struct vm_area *a, u32 pages)
{
    for (u32 i = 0; i < pages; i++) {
        struct page *page = alloc_page(GFP_KERNEL | (READ_ONCE(vm.nr_cached) ? GFP_NOWARN : 0));
        if (!page && drop_cached())
            page = alloc_page(GFP_KERNEL);
        if (!page) {
            free_area_pages(a, i);
            return -ENOMEM;
        }
        stat_node_add(page_node(page), NR_VMALLOC, 1);
        a->pages[i] = page;
    }
    a->nr_pages = pages;
    return 0;
}

/* Finds room in the window. */
static int insert_area(struct vm_area *a)
{
    u64 at, size = ((u64)a->nr_pages + 1) << PAGE_SHIFT;
    for (int attempt = 0; attempt < 2; attempt++) {
        spin_lock(&vm.lock);
        int err = rt_gap_lowest(&vm.areas, vm.start, vm.end, size, PAGE_SIZE, 0, &at);
        if (!err) {
            a->node.start = at;
            a->node.end = at + size;
            a->state = AREA_USED;
            vm.used_pages += a->nr_pages;
            ASSERT(rt_insert(&vm.areas, &a->node) == 0); /* invariant 1 */
            spin_unlock(&vm.lock);
            return 0;
        }
        spin_unlock(&vm.lock);
        vmalloc_purge();
    }
    return -ENOMEM;
}

static struct vm_area *make_area(u64 pages)
{
    struct vm_area *a = slab_alloc(vm.area_cache, GFP_KERNEL | GFP_ZERO);
    if (!a)
        return NULL;
    a->pages = kvmalloc(pages * sizeof(a->pages[0]), GFP_KERNEL);
    if (!a->pages)
        goto no_array;
    if (fill_pages(a, (u32)pages))
        goto no_pages;
    if (insert_area(a))
        goto no_room;
    if (pt_map_kernel(a->node.start, a->pages, pages, pt_kernel_bits()))
        goto no_tables;
    return a;

no_tables:
    /* What was mapped up to the failure is unmapped by retire(). */
    spin_lock(&vm.lock);
    vm.used_pages -= pages;
    spin_unlock(&vm.lock);
    retire(a);
    return NULL;
no_room:
    free_area_pages(a, a->nr_pages);
no_pages:
    kvfree(a->pages);
no_array:
    slab_free(vm.area_cache, a);
    return NULL;
}

void *vmalloc(size_t size)
{
    u64 pages = page_align_up(size) >> PAGE_SHIFT;
    if (size == 0 || size > vm.end - vm.start || pages > phys_managed())
        return NULL;
    struct vm_area *a = NULL;
    if (pages <= CACHED_MAX_PAGES)
        a = take_cached(pages);
    if (!a)
        a = make_area(pages);
    return a ? (void *)(uptr)a->node.start : NULL;
}

void vfree(const void *p)
{
    if (!p)
        return;
    spin_lock(&vm.lock);
    struct rt_node *n = rt_find_exact(&vm.areas, (u64)(uptr)p);
    if (!n || n->start != (u64)(uptr)p || area_of(n)->state != AREA_USED)
        panic("vfree: %p is no allocation", p);
    struct vm_area *a = area_of(n);
    vm.used_pages -= a->nr_pages;
    if (a->nr_pages <= CACHED_MAX_PAGES && vm.nr_cached < CACHED_MAX_AREAS) {
        a->state = AREA_CACHED;
        WRITE_ONCE(vm.nr_cached, vm.nr_cached + 1);
        vm.cached_pages += a->nr_pages;
        list_add(&a->link, &vm.cached);
        spin_unlock(&vm.lock);
        return;
    }
    a->state = AREA_LAZY; /* a second vfree of it is caught from here on */
    spin_unlock(&vm.lock);
    retire(a);
    if (READ_ONCE(vm.lazy_pages) > LAZY_MAX_PAGES)
        purge_lazy();
}

struct page *vmalloc_to_page(const void *p)
{
    struct page *page = NULL;
    spin_lock(&vm.lock);
    struct rt_node *n = rt_find_exact(&vm.areas, (u64)(uptr)p);
    if (n && area_of(n)->state == AREA_USED) {
        u64 i = ((u64)(uptr)p - n->start) >> PAGE_SHIFT;
        if (i < area_of(n)->nr_pages)
            page = area_of(n)->pages[i];
    }
    spin_unlock(&vm.lock);
    return page;
}

void vmalloc_for_each(void (*fn)(void *ctx, const struct vmalloc_info *), void *ctx)
{
    struct rt_node *n;
    spin_lock(&vm.lock);
    rt_for_each (&vm.areas, n) {
        const struct vm_area *a = area_of(n);
        struct vmalloc_info info = {
            .start = n->start, .end = n->end, .unpurged = a->state == AREA_LAZY};
        if (!info.unpurged) {
            info.pages = a->nr_pages;
            for (u32 i = 0; i < a->nr_pages; i++)
                info.node_pages[page_node(a->pages[i])]++;
        }
        fn(ctx, &info);
    }
    spin_unlock(&vm.lock);
}

void vmalloc_stats(struct vmalloc_stats *out)
{
    spin_lock(&vm.lock);
    *out = (struct vmalloc_stats){
        .used_pages = vm.used_pages,
        .cached_pages = vm.cached_pages,
        .lazy_pages = vm.lazy_pages,
        .total_bytes = vm.end - vm.start,
    };
    spin_unlock(&vm.lock);
}

const char *vmalloc_validate(void)
{
    u64 used = 0, cached = 0, lazy = 0, nr_cached = 0;
    struct rt_node *n;
    spin_lock(&vm.lock);
    const char *bad = rt_validate(&vm.areas);
    rt_for_each (&vm.areas, n) {
        const struct vm_area *a = area_of(n);
        if (n->start < vm.start || n->end > vm.end)
            bad = "vmalloc: area outside the window";
        if (n->end - n->start != (u64)(a->nr_pages + 1) << PAGE_SHIFT)
            bad = "vmalloc: area without its guard page";
        *(a->state == AREA_USED ? &used : a->state == AREA_CACHED ? &cached : &lazy) += a->nr_pages;
        if (a->state == AREA_CACHED)
            nr_cached++;
        if (a->state == AREA_LAZY)
            lazy++;
        for (u32 i = 0; a->state != AREA_LAZY && i < a->nr_pages; i++)
            if (page_refs(a->pages[i]) < 1)
                bad = "vmalloc: page of an area is free";
    }
    if (!bad && (used != vm.used_pages || cached != vm.cached_pages || lazy != vm.lazy_pages ||
                 nr_cached != vm.nr_cached))
        bad = "vmalloc: counts are not the sums over the areas";
    spin_unlock(&vm.lock);
    return bad;
}
