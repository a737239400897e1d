/* SPDX-License-Identifier: MIT */
/*
 * phys_validate: every invariant of the buddy and of the per-CPU lists, by looking at all of them.
 *
 *   lists      each block lies in its zone, is aligned, has flags and order of a free head; links
 *              agree both ways, so that no block is on a list twice
 *   memory map the free heads found frame by frame are as many as the lists hold; none in a block
 *   pcp        each frame clean, in no free block, in no other list (page->index marks it)
 *   virgin     ranges aligned, inside the zone, apart from each other
 * Locks: all per-CPU lists frozen, then one zone->lock at a time. May sleep.
 */
#include <mm/phys_internal.h>
#include <port/lock.h>

#define PCP_MARK 0x70637031u

static const char *check_list(const struct zone *z, unsigned order, unsigned type)
{
    const struct page_list *l = &z->free[order][type];
    u64 n = 0;
    u32 prev = 0;
    for (u32 pfn = l->head; pfn; n++) {
        if (n > l->nr)
            return "phys: free list longer than its count";
        if (pfn < z->start_pfn || pfn + (1UL << order) > z->end_pfn)
            return "phys: free block outside its zone";
        if (!IS_ALIGNED(pfn, 1UL << order))
            return "phys: free block misaligned";
        const struct page *page = pfn_to_page(pfn);
        if (!page_is_buddy(z, page, order))
            return "phys: block on a free list is no free head of that order";
        if (page->prev != prev)
            return "phys: free list links disagree";
        for (pfn_t p = pfn; p < pfn + (1UL << order); p += PAGEBLOCK_PAGES)
            if (pageblock_type(z, p) != type)
                return "phys: free block on the list of another type";
        prev = pfn;
        pfn = page->next;
    }
    if (n != l->nr || l->tail != prev)
        return "phys: free list count or tail wrong";
    return NULL;
}

/* One free block found in the memory map. */
static const char *check_block(const struct zone *z, pfn_t pfn, unsigned order)
{
    if (order > MAX_ORDER || !IS_ALIGNED(pfn, 1UL << order))
        return "phys: free head with a wrong order";
    for (u64 i = 0; i < 1UL << order; i++) {
        const struct page *page = pfn_to_page(pfn + i);
        if (page->refcount != 0 || page->mapcount != -1)
            return "phys: free page with references";
        if (i && ((page->flags & ~PAGE_PCP_MOVABLE) != z->page_flags || page->owner))
            return "phys: page inside a free block is not clean";
        if (page->index == PCP_MARK)
            return "phys: frame in a free block and in a per-CPU list";
    }
    if (order < MAX_ORDER && page_is_buddy(z, pfn_to_page(pfn ^ (1UL << order)), order))
        return "phys: two free buddies are not merged";
    return NULL;
}

/* Frames [lo,hi) of RAM in the zone; adds up blocks found per order. */
static const char *scan_map(const struct zone *z, pfn_t lo, pfn_t hi, u64 *found)
{
    for (pfn_t pfn = lo; pfn < hi;) {
        if (IS_ALIGNED(pfn, MAX_ORDER_PAGES) && pfn_is_virgin(z, pfn)) {
            pfn += MAX_ORDER_PAGES;
            continue;
        }
        const struct page *page = pfn_to_page(pfn);
        if (!page_test(page, PG_buddy)) {
            pfn++;
            continue;
        }
        unsigned order = page->order;
        const char *bad = check_block(z, pfn, order);
        if (bad)
            return bad;
        found[order]++;
        pfn += 1UL << order;
    }
    return NULL;
}

static const char *check_virgin(const struct zone *z)
{
    u64 pages = 0;
    for (unsigned i = 0; i < z->nr_virgin; i++) {
        const struct virgin *v = &z->virgin[i];
        if (v->lo >= v->hi || !IS_ALIGNED(v->lo | v->hi, MAX_ORDER_PAGES))
            return "phys: virgin range misaligned or empty";
        if (v->lo < z->start_pfn || v->hi > z->end_pfn)
            return "phys: virgin range outside its zone";
        for (unsigned j = 0; j < i; j++)
            if (v->lo < z->virgin[j].hi && z->virgin[j].lo < v->hi)
                return "phys: virgin ranges overlap";
        pages += v->hi - v->lo;
    }
    return pages == z->nr_virgin_pages ? NULL : "phys: count of virgin pages wrong";
}

static const char *check_zone(struct zone *z)
{
    const struct mem_range *r;
    size_t n = mem_ranges(&r);
    u64 found[MAX_ORDER + 1] = {0}, free = z->nr_virgin_pages;
    const char *bad = check_virgin(z);
    for (unsigned o = 0; !bad && o <= MAX_ORDER; o++)
        for (unsigned t = 0; !bad && t < NR_MIGRATE_TYPES; t++)
            bad = check_list(z, o, t);
    for (size_t i = 0; !bad && i < n; i++) {
        pfn_t lo = max(max(r[i].base >> PAGE_SHIFT, 1UL), z->start_pfn);
        pfn_t hi = min((r[i].base + r[i].size) >> PAGE_SHIFT, z->end_pfn);
        if (r[i].node == z->node && lo < hi)
            bad = scan_map(z, lo, hi, found);
    }
    for (unsigned o = 0; !bad && o <= MAX_ORDER; o++) {
        u64 listed = 0;
        for (unsigned t = 0; t < NR_MIGRATE_TYPES; t++)
            listed += z->free[o][t].nr;
        if (listed != found[o])
            bad = "phys: free heads in the memory map and on the lists differ";
        free += listed << o;
    }
    if (!bad && free != z->nr_free)
        bad = "phys: nr_free is not the sum of the blocks";
    if (!bad && z->nr_free > z->managed)
        bad = "phys: more free than managed";
    return bad;
}

static bool is_zeroed(const struct page *page)
{
    const u64 *p = page_to_virt(page);
    u64 bits = 0;
    mem_unpoison(p, PAGE_SIZE);
    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*p); i++)
        bits |= p[i];
    mem_poison(p, PAGE_SIZE);
    return !bits;
}

static const char *check_pcp(const struct zone *z, const struct pcp *p)
{
    if (p->count > p->high || p->high > PCP_MAX)
        return "phys: per-CPU list overfull";
    for (u32 i = 0; i < p->count; i++) {
        if (p->pfn[i] < z->start_pfn || p->pfn[i] >= z->end_pfn)
            return "phys: per-CPU list holds a frame of another zone";
        struct page *page = pfn_to_page(p->pfn[i]);
        if ((page->flags & ~(PAGE_PCP_MOVABLE | PAGE_PCP_ZEROED)) != z->page_flags ||
            page->refcount || page->mapcount != -1 || page->owner)
            return "phys: frame in a per-CPU list is not clean";
        if (page->index == PCP_MARK)
            return "phys: frame twice in per-CPU lists";
        if (page->index)
            return "phys: frame in a per-CPU list has an index";
        if (page->flags & PAGE_PCP_ZEROED && !is_zeroed(page))
            return "phys: page among the zeroed ones is not";
        page->index = PCP_MARK;
    }
    return NULL;
}

static void unmark_pcp(const struct pcp *p)
{
    for (u32 i = 0; i < p->count; i++)
        pfn_to_page(p->pfn[i])->index = 0;
}

const char *phys_validate(void)
{
    struct zone *z;
    const char *bad = NULL;
    unsigned cpus = cpu_nr_possible();
    pcp_freeze();
    for_each_zone (z)
        for (unsigned i = 0; i < cpus * NR_PCPS; i++)
            if (!bad)
                bad = check_pcp(z, z->pcp[i / NR_PCPS][i % NR_PCPS]);
    for_each_zone (z) {
        spin_lock(&z->lock);
        if (!bad)
            bad = check_zone(z);
        spin_unlock(&z->lock);
    }
    for_each_zone (z)
        for (unsigned i = 0; i < cpus * NR_PCPS; i++)
            unmark_pcp(z->pcp[i / NR_PCPS][i % NR_PCPS]);
    pcp_thaw();
    return bad;
}
