/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator of a zone: free blocks of 2^order pages, order 0 .. MAX_ORDER, by mobility.
 *
 *      free[3][UNMOVABLE] -> [8 pages] -> [8 pages]
 *      free[3][MOVABLE]   -> [8 pages]
 *
 * A block of order n begins at a multiple of 2^n. Its buddy is the block at pfn ^ 2^n; two free
 * buddies are merged.
 *
 * Invariants
 *  1. The head of a free block has flags == zone->page_flags | PG_buddy and order; refcount 0,
 *     mapcount -1.
 *  2. All other free pages have PG_buddy clear, refcount 0, mapcount -1, owner 0.
 *  3. Two free buddies of one order below MAX_ORDER never exist side by side.
 *  4. A block is on the list of the type of its page block; a block that spans several has given
 *     them all one type.
 *  5. nr_free is the pages of all lists plus nr_virgin_pages.
 * Locks: zone->lock is held on entry and kept. Nothing sleeps or allocates.
 */
#include <mm/phys_internal.h>
#include <mm/trace.h>
#include <port/log.h>

void buddy_insert(struct zone *z, struct page *page, unsigned order, enum migrate_type type)
{
    WRITE_ONCE(page->flags, z->page_flags | (1u << PG_buddy));
    WRITE_ONCE(page->order, order);
    page_list_add(&z->free[order][type], page);
}

void buddy_remove(struct zone *z, struct page *page, unsigned order, enum migrate_type type)
{
    page_list_remove(&z->free[order][type], page);
    WRITE_ONCE(page->flags, z->page_flags);
    WRITE_ONCE(page->order, 0);
}

void buddy_free(struct zone *z, pfn_t pfn, unsigned order)
{
    enum migrate_type type = pageblock_type(z, pfn);
    z->nr_free += 1UL << order;
    while (order < MAX_ORDER) {
        pfn_t other = pfn ^ (1UL << order);
        struct page *buddy = pfn_to_page(other);
        if (!page_is_buddy(z, buddy, order))
            break;
        enum migrate_type other_type = type;
        if (order >= PAGEBLOCK_ORDER) {
            other_type = pageblock_type(z, other);
            if (other_type != type) /* invariant 4 */
                pageblock_set_type(z, other, type);
        }
        buddy_remove(z, buddy, order, other_type);
        pfn &= other;
        order++;
    }
    buddy_insert(z, pfn_to_page(pfn), order, type);
}

void buddy_free_run(struct zone *z, pfn_t pfn, u64 n)
{
    while (n) {
        unsigned order = min((unsigned)ffs_u64(pfn | MAX_ORDER_PAGES), fls_u64(n));
        buddy_free(z, pfn, order);
        pfn += 1UL << order;
        n -= 1UL << order;
    }
}

/* Takes a block of at least 2^order pages off its list; *found: its order. */
static struct page *take_block(struct zone *z, unsigned order, enum migrate_type type,
                               unsigned *found)
{
    for (;;) {
        for (unsigned o = order; o <= MAX_ORDER; o++) {
            struct page *page = page_list_first(&z->free[o][type]);
            if (!page)
                continue;
            buddy_remove(z, page, o, type);
            *found = o;
            return page;
        }
        if (!virgin_take(z, type))
            return fallback_steal(z, order, type, found);
    }
}

/* Gives the upper halves of a block back until 2^want pages are left. */
static void split_block(struct zone *z, struct page *page, unsigned order, unsigned want)
{
    if (order == want)
        return;
    enum migrate_type type = pageblock_type(z, page_to_pfn(page));
    while (order > want) {
        order--;
        buddy_insert(z, page + (1UL << order), order, type);
    }
}

struct page *buddy_alloc(struct zone *z, unsigned order, enum migrate_type type)
{
    unsigned found;
    struct page *page = take_block(z, order, type, &found);
    if (!page)
        return NULL;
    split_block(z, page, found, order);
    trace_mm_page_alloc_zone_locked(page, order, type, 0);
    z->nr_free -= 1UL << order;
    return page;
}

unsigned buddy_alloc_bulk(struct zone *z, enum migrate_type type, u32 *out, unsigned n, u32 flags)
{
    unsigned got = 0, found;
    while (got < n) {
        struct page *page = take_block(z, 0, type, &found);
        if (!page)
            break;
        unsigned order = min(found, fls_u64(n - got));
        split_block(z, page, found, order);
        unsigned pages = 1u << order;
        u32 pfn = (u32)page_to_pfn(page);
        /* Downwards, so that the stack gives them out in rising order. */
        for (unsigned i = 0; i < pages; i++) {
            WRITE_ONCE(page[i].flags, flags);
            out[got + i] = pfn + pages - 1 - i;
        }
        got += pages;
    }
    z->nr_free -= got;
    return got;
}
