/* SPDX-License-Identifier: MIT */
/* What the files of mm/phys share with each other and with nobody else. */
#ifndef MM_PHYS_INTERNAL_H
#define MM_PHYS_INTERNAL_H
#include <mm/phys.h>

#define MAX_ORDER_PAGES (1UL << MAX_ORDER)

/* ---- node.c: set-up ---- */

/*
 * Memory for the core's own boot structures, zeroed, from the node if it has any. NULL when there
 * is none. Boot only.
 */
void *boot_alloc(unsigned node, size_t size, size_t align);
/* 0 or -ENOMEM. */
int node_boot(void);
/* The highest frame that mem_ranges() names, plus one. */
extern pfn_t phys_max_pfn;

/* ---- memmap.c ---- */

/* Fills in the struct pages of [lo,hi) as clean pages of the zone with refcount 0. */
void memmap_init_range(const struct zone *z, pfn_t lo, pfn_t hi);
/* Marks [lo,hi) as belonging to the home. */
void memmap_init_reserved(const struct zone *z, pfn_t lo, pfn_t hi);
/*
 * Adds free RAM: whole MAX_ORDER blocks become virgin, the rest goes to the buddy at once. Boot
 * only.
 */
void zone_add_free(struct zone *z, pfn_t lo, pfn_t hi);
/*
 * zone->lock held: turns one virgin block into a free block of MAX_ORDER of that type. False when
 * there is none.
 */
bool virgin_take(struct zone *z, enum migrate_type type);
/* Is pfn in a virgin range? zone->lock held. */
bool pfn_is_virgin(const struct zone *z, pfn_t pfn);

/* ---- buddy.c, fallback.c: all with zone->lock held ---- */

/*
 * A block of free pages comes back: merges it with its buddies. Its struct pages are clean. Counts
 * nr_free.
 */
void buddy_free(struct zone *z, pfn_t pfn, unsigned order);
/* The same for n consecutive pages of any alignment. */
void buddy_free_run(struct zone *z, pfn_t pfn, u64 n);
/*
 * A block of 2^order pages, its head clean but for flags == zone->page_flags; NULL when there is
 * none.
 */
struct page *buddy_alloc(struct zone *z, unsigned order, enum migrate_type type);
/*
 * Up to n single frames into out, in the largest runs to be had; each is clean with `flags` as
 * flags. Returns how many.
 */
unsigned buddy_alloc_bulk(struct zone *z, enum migrate_type type, u32 *out, unsigned n, u32 flags);
/* Puts a block on its list / takes it off, without merging or splitting. */
void buddy_insert(struct zone *z, struct page *page, unsigned order, enum migrate_type type);
void buddy_remove(struct zone *z, struct page *page, unsigned order, enum migrate_type type);
/*
 * Makes a block of at least 2^order pages available to `type` by taking from other types. NULL, or
 * the block, off its list.
 */
struct page *fallback_steal(struct zone *z, unsigned order, enum migrate_type type,
                            unsigned *found);

static inline enum migrate_type pageblock_type(const struct zone *z, pfn_t pfn)
{
    return (enum migrate_type)z->pageblock[(pfn - z->block_base) >> PAGEBLOCK_ORDER];
}
static inline void pageblock_set_type(struct zone *z, pfn_t pfn, enum migrate_type type)
{
    z->pageblock[(pfn - z->block_base) >> PAGEBLOCK_ORDER] = (u8)type;
}
static inline enum migrate_type gfp_migrate_type(gfp_t gfp)
{
    if (gfp & GFP_MOVABLE)
        return MIGRATE_MOVABLE;
    return (gfp & GFP_RECLAIMABLE) ? MIGRATE_RECLAIMABLE : MIGRATE_UNMOVABLE;
}
/*
 * Is this the head of a free block of the zone, of that order? Lock held; the page may be
 * anybody's.
 */
static inline bool page_is_buddy(const struct zone *z, const struct page *page, unsigned order)
{
    return READ_ONCE(page->flags) == (z->page_flags | (1u << PG_buddy)) &&
           READ_ONCE(page->order) == order;
}

/* ---- pcp.c ---- */

/* Closed lists for all CPUs, so that allocations go to the buddy. */
void pcp_reset(void);
/* Real lists. 0 or -ENOMEM. */
int pcp_boot(void);
/* Opens the lists, once the zones are complete. */
void pcp_open_all(void);
/* Nobody but the caller touches any list until pcp_thaw(). May sleep. */
void pcp_freeze(void);
void pcp_thaw(void);
/* Order 0 from this zone through this CPU's list. NULL when the zone has no page. */
struct page *pcp_alloc_zone(struct zone *z, gfp_t gfp);
/* Has this CPU's list of that zone a page? */
bool pcp_has_page(const struct zone *z, gfp_t gfp);
/* This CPU's statistics of a zone. */
static inline struct pcp *zone_stats_here(struct zone *z)
{
    return z->pcp[cpu_id()][PCP_UNMOVABLE];
}
/* Frames that wait in the lists of all CPUs. */
u64 pcp_pages(const struct zone *z);
/* A frame goes to somebody: reference and mapping counts. */
static inline void page_hand_out(struct page *page)
{
    mem_unpoison(page_to_virt(page), PAGE_SIZE);
    __atomic_store_n(&page->refcount, 1, __ATOMIC_RELEASE);
}

/* GFP_ZERO. What is movable belongs to programs. */
static inline void page_clear_contents(struct page *page, gfp_t gfp)
{
    if (gfp & GFP_MOVABLE)
        mem_clear_user_page(page_to_virt(page));
    else
        mem_clear_page(page_to_virt(page));
}

/* ---- alloc.c ---- */

struct page *alloc_slow(unsigned node, gfp_t gfp, unsigned order);
void alloc_boot(void);

/* ---- counts.c ---- */

/* Pages of the zone that the core manages now, too. zone->lock held, or boot. */
void zone_add_managed(struct zone *z, u64 pages);

/* ---- watermark.c ---- */

void watermark_boot(void);
#endif
