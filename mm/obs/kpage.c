/* SPDX-License-Identifier: MIT */
/*
 * /proc/kpageflags and /proc/kpagecount: what a frame is, and how many entries map it. Nothing is locked: each word is true of
 * some moment. A frame whose struct page has not been filled in yet (virgin) is free.
 */
#include <mm/obs.h>
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/rmap.h>

/* Bits of kpageflags, as tools/mm/page-types names them. */
enum {
    KPF_LOCKED, KPF_REFERENCED = 2, KPF_UPTODATE, KPF_DIRTY, KPF_LRU, KPF_ACTIVE, KPF_SLAB, KPF_WRITEBACK, KPF_RECLAIM,
    KPF_BUDDY, KPF_MMAP, KPF_ANON, KPF_SWAPCACHE, KPF_SWAPBACKED, KPF_COMPOUND_HEAD, KPF_COMPOUND_TAIL,
    KPF_UNEVICTABLE = 18, KPF_NOPAGE = 20, KPF_ZERO_PAGE = 24, KPF_PGTABLE = 26, KPF_RESERVED = 32, KPF_MLOCKED = 33,
};

static const struct {
    u8 page, kpf;
} flag_names[] = {
    {PG_locked, KPF_LOCKED},         {PG_readahead, KPF_RECLAIM},     {PG_referenced, KPF_REFERENCED},
    {PG_uptodate, KPF_UPTODATE},     {PG_dirty, KPF_DIRTY},           {PG_lru, KPF_LRU},
    {PG_active, KPF_ACTIVE},         {PG_slab, KPF_SLAB},             {PG_writeback, KPF_WRITEBACK},
    {PG_reclaim, KPF_RECLAIM},       {PG_swapcache, KPF_SWAPCACHE},   {PG_swapbacked, KPF_SWAPBACKED},
    {PG_unevictable, KPF_UNEVICTABLE}, {PG_mlocked, KPF_MLOCKED},     {PG_reserved, KPF_RESERVED},
    {PG_table, KPF_PGTABLE},
};

/* Free blocks are marked at their first frame only. */
static bool is_free(pfn_t pfn)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        const struct page *head = pfn_to_page(ALIGN_DOWN(pfn, 1UL << order));
        if (page_test(head, PG_buddy) && READ_ONCE(head->order) >= order)
            return true;
    }
    return false;
}

u64 obs_kpageflags(pfn_t pfn)
{
    struct page *page;
    if (!phys_find_page(pfn, &page))
        return BIT(KPF_NOPAGE);
    if (!page)
        return BIT(KPF_BUDDY);
    u64 flags = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(flag_names); i++)
        if (page_test(page, flag_names[i].page))
            flags |= BIT(flag_names[i].kpf);
    if (page_test(page, PG_buddy) || (!READ_ONCE(page->refcount) && is_free(pfn)))
        return BIT(KPF_BUDDY);
    if (pfn == zero_pfn)
        flags |= BIT(KPF_ZERO_PAGE) | BIT(KPF_RESERVED);
    if (flags & (BIT(KPF_SLAB) | BIT(KPF_PGTABLE)))
        return flags & ~BIT(KPF_UPTODATE); /* their words mean other things */
    if (page_mapped(page))
        flags |= BIT(KPF_MMAP);
    if (page_mapped(page) && page_is_anon(page))
        flags |= BIT(KPF_ANON);
    if (page_test(page, PG_head))
        flags |= BIT(KPF_COMPOUND_HEAD);
    return flags;
}

u64 obs_kpagecount(pfn_t pfn)
{
    struct page *page;
    if (!phys_find_page(pfn, &page) || !page || page_test(page, PG_slab) || page_test(page, PG_table) || !page_try_get(page))
        return 0;
    u64 n = page_mapped(page) ? page_map_count(page) : 0;
    page_put(page);
    return n;
}

u64 obs_kpage_end(void)
{
    struct zone *z;
    u64 end = 0;
    for_each_zone (z)
        end = max(end, z->end_pfn);
    return ALIGN_UP(end, 1UL << (27 - PAGE_SHIFT));
}
