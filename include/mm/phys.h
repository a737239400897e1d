/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: nodes, zones, buddy, per-CPU page lists. Bodies in mm/phys/.
 *
 *   alloc_pages ─ pcp (order 0, this CPU) ─ zone buddy ─ virgin memory (struct pages not yet filled in)
 *
 * A zone's memory map is filled in block by block when first needed ("virgin" ranges), so that boot time does not grow
 * with memory. Free counts include virgin pages.
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

#define PCP_MAX 256
struct pcp { /* one per (zone, CPU): a stack of order-0 frames */
    u32 count, high, batch;
    u32 pfn[PCP_MAX];
};

struct virgin { /* [lo,hi): RAM whose struct pages have not been filled in */
    pfn_t lo, hi;
};
#define ZONE_MAX_VIRGIN 32

struct zone {
    spinlock_t lock; /* free, nr_free, virgin */
    u8 index;        /* enum zone_type */
    u8 node;
    pfn_t start_pfn, end_pfn;  /* spanned */
    u64 present, managed;      /* pages */
    u64 nr_free;               /* pages in buddy and virgin; read with READ_ONCE */
    u64 watermark[NR_WMARKS];  /* pages */
    u64 lowmem_reserve[MAX_ZONES];
    struct page_list free[MAX_ORDER + 1][NR_MIGRATE_TYPES];
    struct virgin virgin[ZONE_MAX_VIRGIN];
    unsigned nr_virgin;
    struct pcp *pcp[NR_CPUS];
};

/* The lists a reclaimable page is on. Sharded by CPU so that faults on different CPUs share no lock; see mm/lru.h. */
#define LRU_SHARDS 8
enum lru_list { LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE, LRU_UNEVICTABLE, NR_LRU_LISTS };
struct lru_shard {
    spinlock_t lock;
    struct page_list list[NR_LRU_LISTS];
} __aligned_to(64);
struct lruvec {
    struct lru_shard shard[LRU_SHARDS];
};

struct node {
    u32 id;
    bool online;
    struct zone zone[MAX_ZONES];
    struct zone *zonelist[MAX_NODES * MAX_ZONES + 1]; /* fallback order, NULL-terminated */
    struct lruvec lruvec; /* of the root memory cgroup */
};
extern struct node *nodes[MAX_NODES]; /* NULL beyond nr_nodes */
extern unsigned nr_nodes;

/*
 * Brings up the core: memory map, nodes, zones, per-CPU lists, then slab. Needs port mem, cpu, lock. Called once, on the
 * boot CPU, before any other function of mm/. 0 or -ENOMEM.
 */
int mm_boot(void);

/*
 * 2^order contiguous pages; refcount 1 on the first (GFP_COMP: compound, tails point at the head), mapcount -1, flags clear.
 * NULL when memory is short and, with GFP_RECLAIM, could not be reclaimed. Sleeps only with GFP_RECLAIM.
 */
struct page *alloc_pages(gfp_t gfp, unsigned order);
struct page *alloc_pages_node(unsigned node, gfp_t gfp, unsigned order);
static inline struct page *alloc_page(gfp_t gfp)
{
    return alloc_pages(gfp, 0);
}
/* The page must have refcount 1 or 0 and be off every list. Never sleeps. */
void free_pages(struct page *page, unsigned order);
/* Frees n order-0 pages of refcount 0 at once (end of a gather). */
void free_page_batch(struct page **pages, unsigned n);
/* Gives all pages of this CPU's / every CPU's pcp back to the buddy. drain_all may sleep. */
void pcp_drain_local(void);
void pcp_drain_all(void);

/* Pages. Free pages include pcp lists only in phys_free_all(). */
u64 phys_free(void);
u64 phys_free_all(void);
u64 phys_managed(void);
u64 phys_present(void);
/* Linux's MemAvailable estimate, pages. */
u64 phys_available(void);
/* Sets watermarks from min_free_kbytes and watermark_scale_factor (Linux's formulas). */
void watermark_setup(u64 min_free_kbytes);
/* NULL, or a text naming the broken invariant (buddy alignment, double entries, counts). Stops allocation meanwhile. */
const char *phys_validate(void);

/* Upward edge of design section 3: called when an allocation with GFP_RECLAIM finds no page. Returns pages freed. */
struct reclaim_ops {
    u64 (*reclaim)(unsigned node, gfp_t gfp, unsigned order);
};
extern const struct reclaim_ops *phys_reclaim_ops; /* NULL: no reclaim */
#endif
