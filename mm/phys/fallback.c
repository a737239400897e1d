/* SPDX-License-Identifier: MIT */
/*
 * When a type has no free block left and the zone no virgin memory: taking from another type.
 *
 * The largest block of the preferred victim is taken, so that few page blocks become mixed. The
 * whole page block changes sides when it is wholly free, or when at least half of it is free and
 * the taker would litter it anyway (pages that can't be moved, or half a page block at once).
 * Locks: zone->lock.
 */
#include <mm/phys_internal.h>
#include <port/log.h>

static const u8 victims[NR_MIGRATE_TYPES][NR_MIGRATE_TYPES - 1] = {
    [MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
    [MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
    [MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
};

/* First and last+1 frame of the page block that holds pfn, within the zone. */
static void block_bounds(const struct zone *z, pfn_t pfn, pfn_t *lo, pfn_t *hi)
{
    pfn_t base = ALIGN_DOWN(pfn, PAGEBLOCK_PAGES);
    *lo = max(base, z->start_pfn);
    *hi = min(base + PAGEBLOCK_PAGES, z->end_pfn);
}

/* The order of the free block that begins at pfn (below PAGEBLOCK_ORDER), or -1. */
static int free_order(const struct zone *z, pfn_t pfn)
{
    const struct page *page = pfn_to_page(pfn);
    if (page->flags != (z->page_flags | (1u << PG_buddy)))
        return -1;
    return (int)page->order;
}

static u64 count_free(const struct zone *z, pfn_t lo, pfn_t hi)
{
    u64 n = 0;
    for (pfn_t pfn = lo; pfn < hi;) {
        int order = free_order(z, pfn);
        if (order >= 0)
            n += 1UL << order;
        pfn += order >= 0 ? 1UL << order : 1;
    }
    return n;
}

/* Moves the free blocks of a page block to the lists of another type. */
static void convert_pageblock(struct zone *z, pfn_t pfn, enum migrate_type from,
                              enum migrate_type to)
{
    pfn_t lo, hi;
    block_bounds(z, pfn, &lo, &hi);
    for (pfn_t p = lo; p < hi;) {
        int order = free_order(z, p);
        if (order >= 0) {
            page_list_remove(&z->free[order][from], pfn_to_page(p));
            page_list_add(&z->free[order][to], pfn_to_page(p));
        }
        p += order >= 0 ? 1UL << order : 1;
    }
    pageblock_set_type(z, pfn, to);
}

struct page *fallback_steal(struct zone *z, unsigned order, enum migrate_type type, unsigned *found)
{
    for (int o = MAX_ORDER; o >= (int)order; o--) {
        for (unsigned i = 0; i < NR_MIGRATE_TYPES - 1; i++) {
            enum migrate_type from = (enum migrate_type)victims[type][i];
            struct page *page = page_list_first(&z->free[o][from]);
            if (!page)
                continue;
            pfn_t pfn = page_to_pfn(page), lo, hi;
            *found = (unsigned)o;
            if (o >= PAGEBLOCK_ORDER) {
                buddy_remove(z, page, (unsigned)o, from);
                for (u64 p = 0; p < 1UL << o; p += PAGEBLOCK_PAGES)
                    pageblock_set_type(z, pfn + p, type);
                return page;
            }
            block_bounds(z, pfn, &lo, &hi);
            bool litters = type != MIGRATE_MOVABLE || o >= PAGEBLOCK_ORDER / 2;
            if (litters && count_free(z, lo, hi) * 2 >= hi - lo) {
                convert_pageblock(z, pfn, from, type);
                buddy_remove(z, page, (unsigned)o, type);
            } else {
                buddy_remove(z, page, (unsigned)o, from);
            }
            return page;
        }
    }
    return NULL;
}
