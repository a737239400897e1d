/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: nodes, zones, buddy, per-CPU page lists. Bodies in mm/phys/.
 *
 *   alloc_pages ─ pcp (order 0, this CPU) ─ zone buddy ─ virgin memory (struct pages not yet filled in)
 *
 * A zone's memory map is filled in block by block when first needed ("virgin" ranges), so that boot
 * time does not grow with memory. Free counts include virgin pages.
 */
#ifndef MM_PHYS_H
#define MM_PHYS_H
#include <mm/page.h>
#include <mm/page_list.h>
#include <mm/gfp.h>
#include <mm/percpu.h>

enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE, MAX_ZONES };
#define MAX_ORDER 10 /* largest block: 2^10 pages, 4 MiB */
enum migrate_type { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, NR_MIGRATE_TYPES };
enum watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARKS };

/*
 * Stack of order-0 frames of one zone for one CPU: two for each (zone, CPU), one for movable pages,
 * one for the rest. Only the owning CPU uses it, without a lock; mm/phys/pcp.c tells how others may
 * empty it. Statistics are sums over these.
 */
#define PCP_MAX 512
struct pcp {
    u32 count, high; /* frames now, at most */
    u32 batch;       /* frames fetched at once */
    struct zone *zone;
    u64 allocs;       /* successful allocations of any order from this zone by this CPU */
    u64 alloc_pages;  /* pages of those beyond the first */
    u64 frees;        /* pages given back */
    u64 numa_miss;    /* allocations that came here because the zone they preferred was short */
    u64 numa_foreign; /* allocations that preferred this zone and went elsewhere */
    u32 pfn[];
};
enum { PCP_UNMOVABLE, PCP_MOVABLE, PCP_ZEROED, NR_PCPS };
#define PCP_ZEROED_MAX 32 /* page tables of a process or two */

/* [lo,hi): RAM whose struct pages have not been filled in; both ends multiples of 2^MAX_ORDER. */
struct virgin {
    pfn_t lo, hi;
};
#define ZONE_MAX_VIRGIN 32

#define PAGEBLOCK_ORDER 9 /* grouping by mobility works in blocks of 2 MiB */
#define PAGEBLOCK_PAGES (1u << PAGEBLOCK_ORDER)

struct zone {
    spinlock_t lock; /* free, nr_free, virgin, pageblock, struct pages of free blocks */
    u8 index;        /* enum zone_type */
    u8 node;
    u32 page_flags;           /* what page->flags says of a clean page of this zone */
    pfn_t start_pfn, end_pfn; /* spanned */
    u64 present, managed;     /* pages */
    u64 nr_free;              /* pages in buddy and virgin; read with READ_ONCE */
    u64 watermark[NR_WMARKS]; /* pages */
    u64 lowmem_reserve[MAX_ZONES];
    struct page_list free[MAX_ORDER + 1][NR_MIGRATE_TYPES];
    struct virgin virgin[ZONE_MAX_VIRGIN];
    unsigned nr_virgin;
    u64 nr_virgin_pages;
    u8 *pageblock; /* enum migrate_type of each page block from block_base on; virgin ones: not set */
    pfn_t block_base;
    u64 nr_blocks;
    struct pcp *pcp[NR_CPUS][NR_PCPS]; /* NULL where the zone is empty or the CPU not possible */
};

/*
 * The lists a reclaimable page is on. Anonymous and shared memory is sharded by frame number, so that faults on different CPUs
 * share no lock; pages of files have one shard, LRU_FILE_SHARD, whose lists are in order. See mm/lru.h.
 */
#define LRU_SHARDS     8
#define LRU_FILE_SHARD LRU_SHARDS
enum lru_list {
    LRU_INACTIVE_ANON,
    LRU_ACTIVE_ANON,
    LRU_INACTIVE_FILE,
    LRU_ACTIVE_FILE,
    LRU_UNEVICTABLE,
    NR_LRU_LISTS
};
struct lru_shard {
    spinlock_t lock;
    struct page_list list[NR_LRU_LISTS];
} __aligned_to(64);
struct lruvec {
    struct lru_shard shard[LRU_SHARDS + 1];
    u64 nonresident_age;    /* evictions and activations; mm/reclaim/workingset.c */
    u64 cost[2];            /* of reclaiming anonymous pages [0] and pages of files [1], by the file shard's lock */
    u64 refaults[2];        /* WORKINGSET_ACTIVATE_* at the end of the last reclaim */
    u64 pick[NR_LRU_LISTS]; /* which shard is scanned next */
};

struct node {
    u32 id;
    bool online;
    struct zone zone[MAX_ZONES];
    struct zone *zonelist[MAX_NODES * MAX_ZONES + 1]; /* fallback order, NULL-terminated */
    struct lruvec lruvec;                             /* of the root memory cgroup */
};
extern struct node *nodes[MAX_NODES]; /* NULL beyond nr_nodes */
extern unsigned nr_nodes;

/*
 * Brings up the core: memory map, nodes, zones, per-CPU lists, then slab. Needs port mem, cpu,
 * lock. Called once, on the boot CPU, before any other function of mm/. 0 or -ENOMEM.
 */
int mm_boot(void);

/*
 * 2^order contiguous pages; refcount 1 on the first (GFP_COMP: compound, tails point at the head),
 * mapcount -1, flags clear. NULL when memory is short and, with GFP_RECLAIM, could not be
 * reclaimed. Sleeps only with GFP_RECLAIM.
 */
struct page *alloc_pages(gfp_t gfp, unsigned order);
struct page *alloc_pages_node(unsigned node, gfp_t gfp, unsigned order);
/* alloc_pages(gfp, 0), from this CPU's list in some 20 instructions. */
struct page *alloc_page(gfp_t gfp);
/*
 * A page of zeros for a user who will give it back as zeros, as page tables do: the last such page
 * of this CPU, else a page that is cleared now. Like alloc_page(gfp | GFP_ZERO) in all else;
 * unmovable.
 */
struct page *alloc_zeroed_page(gfp_t gfp);
/* Frees a page of refcount 1 that holds nothing but zeros. */
void free_zeroed_page(struct page *page);
/* The page must have refcount 1 or 0 and be off every list. Never sleeps. */
void free_pages(struct page *page, unsigned order);
/* Frees n order-0 pages of refcount 0 at once (end of a gather). */
void free_page_batch(struct page **pages, unsigned n);
/* Gives all pages of this CPU's / every CPU's pcp back to the buddy. drain_all may sleep. */
void pcp_drain_local(void);
void pcp_drain_all(void);

/*
 * Hands RAM that the home had reserved (initramfs, boot code) to the core; managed pages grow.
 * [lo,hi) lies in a range that mem_ranges() names MEM_RESERVED. Never sleeps.
 */
void phys_give(pfn_t lo, pfn_t hi);

/* Is the frame RAM of a zone? *page: its struct page, NULL when that has not been filled in: then it is free. Never sleeps. */
bool phys_find_page(pfn_t pfn, struct page **page);

/* Pages. Free pages include pcp lists only in phys_free_all(). */
u64 phys_free(void);
u64 phys_free_all(void);
u64 phys_managed(void);
u64 phys_present(void);
/* Linux's MemAvailable estimate, pages. */
u64 phys_available(void);
/* Sets watermarks from min_free_kbytes and watermark_scale_factor (Linux's formulas). */
void watermark_setup(u64 min_free_kbytes);
/* Linux's choice of min_free_kbytes for the memory there is: 4 * sqrt(kB), 128 .. 262144. */
u64 watermark_default_kbytes(void);
/*
 * Does the zone hold 2^order pages above mark for an allocation that asked for zones up to `asked`?
 */
bool watermark_ok(const struct zone *z, unsigned order, u64 mark, enum zone_type asked, gfp_t gfp);
/* Pages that the watermarks and reserves keep away from users (Linux's totalreserve_pages). */
u64 watermark_reserve(void);
/* The values now in force (/proc/sys/vm); change min_free_kbytes with watermark_setup(). */
extern u64 sysctl_min_free_kbytes, sysctl_watermark_scale_factor;
extern u64 sysctl_lowmem_reserve_ratio[MAX_ZONES];
/*
 * Pages at the top of each node that only movable allocations may use (movablecore=); set before
 * mm_boot().
 */
extern u64 phys_movablecore;

/* The best zone for gfp's zone bits, before any fallback. */
static inline enum zone_type gfp_zone(gfp_t gfp)
{
    if (gfp & GFP_DMA_ZONE)
        return ZONE_DMA;
    if (gfp & GFP_DMA32_ZONE)
        return ZONE_DMA32;
    return (gfp & GFP_MOVABLE) ? ZONE_MOVABLE : ZONE_NORMAL;
}
/* Every populated zone, node by node: for_each_zone(z) { ... } */
struct zone *phys_first_zone(void);
struct zone *phys_next_zone(const struct zone *z);
#define for_each_zone(z) for ((z) = phys_first_zone(); (z); (z) = phys_next_zone(z))
/* Statistics of a zone, summed over the CPUs. */
struct zone_counts {
    u64 allocs, alloc_pages, frees; /* alloc_pages: all pages handed out */
    u64 numa_miss, numa_foreign, numa_local, numa_other, numa_hit;
    u64 pcp_pages; /* frames that wait in per-CPU lists */
};
void zone_counts(const struct zone *z, struct zone_counts *out);
/* Free blocks of one order and type, virgin memory included (as movable blocks of MAX_ORDER). */
u64 zone_free_blocks(struct zone *z, unsigned order, enum migrate_type type);
/* Page blocks of one type, those of virgin memory counted as movable. */
u64 zone_pageblocks(struct zone *z, enum migrate_type type);
/*
 * NULL, or a text naming the broken invariant (buddy alignment, double entries, counts). Stops
 * allocation meanwhile.
 */
const char *phys_validate(void);

/*
 * Upward edge of design section 3: what an allocation asks for that finds no page. All walk the zonelist of the node as far as
 * gfp allows. Any may be NULL.
 */
struct reclaim_ops {
    /* Direct reclaim, with GFP_RECLAIM. Returns pages freed. May sleep. */
    u64 (*reclaim)(unsigned node, gfp_t gfp, unsigned order);
    /* A zone is below its low watermark: background reclaim is due. Never sleeps. */
    void (*wake)(unsigned node, gfp_t gfp, unsigned order);
    /* Could another round help: would all that is reclaimable lift a zone above its min watermark? */
    bool (*worth_retry)(unsigned node, gfp_t gfp, unsigned order);
    /*
     * Nothing can be reclaimed any more. False: the allocation fails. True: memory was freed, or is being freed by somebody who
     * dies, or the caller dies itself: it tries again. May sleep.
     */
    bool (*out_of_memory)(gfp_t gfp, unsigned order);
};
extern const struct reclaim_ops *phys_reclaim_ops; /* NULL: no reclaim */
#endif
