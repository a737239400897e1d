/* SPDX-License-Identifier: MIT */
/*
 * The memory map: filling in struct pages, when they are first needed.
 *
 *      RAM of a zone    |..edge..|======== virgin, whole 4 MiB blocks ========|..edge..|
 *                        at boot    one block each time the buddy runs short    at boot
 *
 * Boot therefore costs the same for 512 MiB and for 16 GiB. Blocks are taken from the low end of a
 * virgin range.
 *
 * Invariants
 *  1. Virgin ranges begin and end on MAX_ORDER blocks, so a buddy of an initialised page is never
 *     virgin.
 *  2. The struct page of a frame that is neither initialised nor virgin (a hole, the home's own
 *     memory) is all zero, or PG_reserved: it never looks like a free block.
 *  3. nr_virgin_pages is the sum of the ranges; nr_free includes it.
 */
#include <mm/phys_internal.h>
#include <port/log.h>

void memmap_init_range(const struct zone *z, pfn_t lo, pfn_t hi)
{
    struct page clean = {.flags = z->page_flags, .mapcount = -1};
    for (struct page *p = pfn_to_page(lo), *end = pfn_to_page(hi); p < end; p++)
        *p = clean;
}

void memmap_init_reserved(const struct zone *z, pfn_t lo, pfn_t hi)
{
    struct page clean = {
        .flags = z->page_flags | (1u << PG_reserved), .refcount = 1, .mapcount = -1};
    for (struct page *p = pfn_to_page(lo), *end = pfn_to_page(hi); p < end; p++)
        *p = clean;
}

bool pfn_is_virgin(const struct zone *z, pfn_t pfn)
{
    for (unsigned i = 0; i < z->nr_virgin; i++)
        if (pfn >= z->virgin[i].lo && pfn < z->virgin[i].hi)
            return true;
    return false;
}

bool phys_find_page(pfn_t pfn, struct page **page)
{
    const struct mem_range *r;
    size_t n = mem_ranges(&r), i = 0;
    struct zone *z;
    while (i < n && (pfn << PAGE_SHIFT < r[i].base || pfn << PAGE_SHIFT >= r[i].base + r[i].size))
        i++;
    *page = NULL;
    for_each_zone (z) {
        if (i == n || pfn < z->start_pfn || pfn >= z->end_pfn || z->node != r[i].node)
            continue;
        spin_lock(&z->lock);
        if (!pfn_is_virgin(z, pfn))
            *page = pfn_to_page(pfn);
        spin_unlock(&z->lock);
        return true;
    }
    return false;
}

/*
 * Frees [lo,hi) to the buddy; the types of its page blocks become MOVABLE, as those of all free
 * memory at boot.
 */
static void add_now(struct zone *z, pfn_t lo, pfn_t hi)
{
    if (lo >= hi)
        return;
    memmap_init_range(z, lo, hi);
    for (pfn_t pfn = ALIGN_DOWN(lo, PAGEBLOCK_PAGES); pfn < hi; pfn += PAGEBLOCK_PAGES)
        pageblock_set_type(z, pfn, MIGRATE_MOVABLE);
    spin_lock(&z->lock);
    buddy_free_run(z, lo, hi - lo);
    spin_unlock(&z->lock);
}

void zone_add_free(struct zone *z, pfn_t lo, pfn_t hi)
{
    zone_add_managed(z, hi - lo);
    pfn_t vlo = ALIGN_UP(lo, MAX_ORDER_PAGES), vhi = ALIGN_DOWN(hi, MAX_ORDER_PAGES);
    if (vlo >= vhi || z->nr_virgin == ZONE_MAX_VIRGIN) {
        add_now(z, lo, hi);
        return;
    }
    z->virgin[z->nr_virgin++] = (struct virgin){vlo, vhi};
    z->nr_virgin_pages += vhi - vlo;
    z->nr_free += vhi - vlo;
    add_now(z, lo, vlo);
    add_now(z, vhi, hi);
}

bool virgin_take(struct zone *z, enum migrate_type type)
{
    if (!z->nr_virgin)
        return false;
    struct virgin *v = &z->virgin[0];
    pfn_t pfn = v->lo;
    ASSERT(v->lo < v->hi && IS_ALIGNED(pfn, MAX_ORDER_PAGES)); /* invariant 1 */
    v->lo += MAX_ORDER_PAGES;
    if (v->lo == v->hi)
        *v = z->virgin[--z->nr_virgin];
    z->nr_virgin_pages -= MAX_ORDER_PAGES;
    memmap_init_range(z, pfn, pfn + MAX_ORDER_PAGES);
    for (unsigned i = 0; i < MAX_ORDER_PAGES; i += PAGEBLOCK_PAGES)
        pageblock_set_type(z, pfn + i, type);
    buddy_insert(z, pfn_to_page(pfn), MAX_ORDER, type);
    return true;
}

void phys_give(pfn_t lo, pfn_t hi)
{
    struct zone *z;
    if (lo == 0)
        lo = 1;
    for_each_zone (z) {
        pfn_t a = max(lo, z->start_pfn), b = min(hi, z->end_pfn);
        if (a >= b)
            continue;
        spin_lock(&z->lock);
        ASSERT(!pfn_is_virgin(z, a));
        memmap_init_range(z, a, b);
        for (pfn_t pfn = ALIGN_DOWN(a, PAGEBLOCK_PAGES); pfn < b; pfn += PAGEBLOCK_PAGES)
            if (z->pageblock[(pfn - z->block_base) >> PAGEBLOCK_ORDER] >= NR_MIGRATE_TYPES)
                pageblock_set_type(z, pfn, MIGRATE_MOVABLE);
        zone_add_managed(z, b - a);
        buddy_free_run(z, a, b - a);
        spin_unlock(&z->lock);
    }
}
