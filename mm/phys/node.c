/* SPDX-License-Identifier: MIT */
/*
 * Nodes and zones, from the port's RAM ranges.
 *
 *      mem_ranges ─┬─ memory map made accessible, whole MAX_ORDER blocks
 *                  ├─ zones: DMA < 16 MiB <= DMA32 < 4 GiB <= Normal; Movable at the top if asked
 *                  ├─ boot memory: cut off the upper end of each node's largest free range
 *                  └─ the rest of the free ranges becomes virgin memory or free blocks (memmap.c)
 *
 * A zonelist names the populated zones by distance of their node, within a node from the highest
 * zone down, and ends with NULL. Locks: none, one CPU runs.
 */
#include <mm/phys_internal.h>
#include <lib/errno.h>
#include <port/log.h>

struct node *nodes[MAX_NODES];
unsigned nr_nodes;
pfn_t phys_max_pfn;
u64 phys_movablecore;

#define DMA_END_PFN   (16UL << (20 - PAGE_SHIFT))
#define DMA32_END_PFN (4UL << (30 - PAGE_SHIFT))
#define PFN_LIMIT     (1UL << 32)

/*
 * Where boot_alloc cuts: [lo,hi) of free memory, one per node; hi goes down. `top` is where hi
 * began.
 */
static struct boot_region {
    pfn_t lo, top;
    u64 hi; /* byte address */
} boot_region[MAX_NODES];
static pfn_t movable_start[MAX_NODES];

/* The frames of a range that the core may look at: never frame 0, never more than 32 bits. */
static void range_pfns(const struct mem_range *r, pfn_t *lo, pfn_t *hi)
{
    *lo = max(r->base >> PAGE_SHIFT, 1UL);
    *hi = min((r->base + r->size) >> PAGE_SHIFT, PFN_LIMIT);
    if (*hi < *lo)
        *hi = *lo;
}

static void zone_limits(unsigned node, unsigned zone, pfn_t *lo, pfn_t *hi)
{
    static const pfn_t bounds[MAX_ZONES] = {0, DMA_END_PFN, DMA32_END_PFN, PFN_LIMIT};
    if (zone == ZONE_MOVABLE) {
        *lo = movable_start[node];
        *hi = PFN_LIMIT;
    } else {
        *lo = min(bounds[zone], movable_start[node]);
        *hi = min(bounds[zone + 1], movable_start[node]);
    }
}

/* Makes the memory map of all RAM accessible, each frame once. */
static int populate_memmap(const struct mem_range *r, size_t n)
{
    pfn_t lo = 0, hi = 0;
    for (size_t i = 0; i <= n; i++) {
        pfn_t a = 0, b = 0;
        if (i < n) {
            range_pfns(&r[i], &a, &b);
            if (a == b)
                continue;
            a = ALIGN_DOWN(a, MAX_ORDER_PAGES);
            b = ALIGN_UP(b, MAX_ORDER_PAGES);
            if (a <= hi && hi) {
                hi = max(hi, b);
                continue;
            }
        }
        if (lo < hi) {
            int err = mem_memmap_populate(lo, hi);
            if (err)
                return err;
        }
        lo = a;
        hi = b;
    }
    return 0;
}

static void find_boot_regions(const struct mem_range *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pfn_t lo, hi;
        range_pfns(&r[i], &lo, &hi);
        struct boot_region *b = &boot_region[r[i].node];
        if (r[i].kind == MEM_FREE && hi - lo > b->top - b->lo)
            *b = (struct boot_region){lo, hi, hi << PAGE_SHIFT};
    }
}

static void *boot_cut(struct boot_region *b, size_t size, size_t align)
{
    if (b->hi < size)
        return NULL;
    u64 at = ALIGN_DOWN(b->hi - size, align);
    if (at < b->lo << PAGE_SHIFT)
        return NULL;
    b->hi = at;
    return memset(phys_to_virt(at), 0, size);
}

void *boot_alloc(unsigned node, size_t size, size_t align)
{
    void *p = boot_cut(&boot_region[node], size, align);
    for (unsigned n = 0; !p && n < nr_nodes; n++)
        p = boot_cut(&boot_region[n], size, align);
    return p;
}

/*
 * The first frame of each node's movable zone: phys_movablecore pages from its top, whole blocks.
 */
static void find_movable(const struct mem_range *r, size_t n)
{
    for (unsigned node = 0; node < nr_nodes; node++) {
        u64 left = phys_movablecore;
        movable_start[node] = PFN_LIMIT;
        for (size_t i = n; left && i-- > 0;) {
            pfn_t lo, hi;
            range_pfns(&r[i], &lo, &hi);
            if (r[i].node != node || r[i].kind != MEM_FREE)
                continue;
            u64 take = min(left, hi - lo);
            movable_start[node] = ALIGN_UP(hi - take, MAX_ORDER_PAGES);
            left -= take;
        }
        if (movable_start[node] < DMA_END_PFN)
            movable_start[node] = DMA_END_PFN;
    }
}

/* Spans and present pages. */
static void measure_zones(const struct mem_range *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pfn_t lo, hi;
        range_pfns(&r[i], &lo, &hi);
        phys_max_pfn = max(phys_max_pfn, hi);
        for (unsigned k = 0; k < MAX_ZONES; k++) {
            struct zone *z = &nodes[r[i].node]->zone[k];
            pfn_t zlo, zhi;
            zone_limits(r[i].node, k, &zlo, &zhi);
            zlo = max(zlo, lo);
            zhi = min(zhi, hi);
            if (zlo >= zhi)
                continue;
            z->start_pfn = z->present ? min(z->start_pfn, zlo) : zlo;
            z->end_pfn = max(z->end_pfn, zhi);
            z->present += zhi - zlo;
        }
    }
}

static void init_zone(struct zone *z, unsigned node, unsigned index)
{
    spin_init(&z->lock, RANK_ZONE);
    z->index = (u8)index;
    z->node = (u8)node;
    z->page_flags = (index << PAGE_ZONE_SHIFT) | (node << PAGE_NODE_SHIFT);
    for (unsigned o = 0; o <= MAX_ORDER; o++)
        for (unsigned t = 0; t < NR_MIGRATE_TYPES; t++)
            page_list_init(&z->free[o][t]);
}

static int alloc_nodes(void)
{
    for (unsigned n = 0; n < nr_nodes; n++) {
        struct node *node = boot_alloc(n, sizeof(*node), 64);
        if (!node)
            return -ENOMEM;
        node->id = n;
        nodes[n] = node;
        for (unsigned k = 0; k < MAX_ZONES; k++)
            init_zone(&node->zone[k], n, k);
        for (unsigned i = 0; i <= LRU_SHARDS; i++)
            spin_init(&node->lruvec.shard[i].lock, RANK_LRU);
    }
    return 0;
}

/* The array of page block types. Blocks without memory keep a value that is no type. */
static int alloc_pageblocks(void)
{
    for (unsigned n = 0; n < nr_nodes; n++) {
        for (unsigned k = 0; k < MAX_ZONES; k++) {
            struct zone *z = &nodes[n]->zone[k];
            if (!z->present)
                continue;
            z->block_base = ALIGN_DOWN(z->start_pfn, MAX_ORDER_PAGES);
            z->nr_blocks =
                (ALIGN_UP(z->end_pfn, MAX_ORDER_PAGES) - z->block_base) >> PAGEBLOCK_ORDER;
            z->pageblock = boot_alloc(n, z->nr_blocks, 64);
            if (!z->pageblock)
                return -ENOMEM;
            memset(z->pageblock, 0xff, z->nr_blocks);
        }
    }
    return 0;
}

/*
 * Orders: own node first, then by distance, then by number from our own on, so that load spreads.
 */
static void build_zonelist(struct node *node)
{
    unsigned used = 0, at = 0;
    for (unsigned round = 0; round < nr_nodes; round++) {
        unsigned best = 0, best_distance = U32_MAX;
        for (unsigned i = 0; i < nr_nodes; i++) {
            unsigned n = (node->id + i) % nr_nodes;
            unsigned d = n == node->id ? 0 : mem_node_distance(node->id, n);
            if (!(used & (1u << n)) && d < best_distance) {
                best = n;
                best_distance = d;
            }
        }
        used |= 1u << best;
        for (unsigned k = MAX_ZONES; k-- > 0;)
            if (nodes[best]->zone[k].managed)
                node->zonelist[at++] = &nodes[best]->zone[k];
    }
    node->zonelist[at] = NULL;
}

/* What boot_alloc has cut off stays reserved; all other free memory goes to its zone. */
static void release_memory(const struct mem_range *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pfn_t lo, hi;
        range_pfns(&r[i], &lo, &hi);
        if (r[i].kind != MEM_FREE)
            continue;
        struct boot_region *b = &boot_region[r[i].node];
        bool cut = b->lo == lo && b->top == hi;
        pfn_t end = cut ? b->hi >> PAGE_SHIFT : hi;
        for (unsigned k = 0; k < MAX_ZONES; k++) {
            struct zone *z = &nodes[r[i].node]->zone[k];
            pfn_t zlo, zhi;
            zone_limits(r[i].node, k, &zlo, &zhi);
            pfn_t a = max(lo, zlo), free_end = min(end, zhi), b_end = min(hi, zhi);
            if (a < free_end)
                zone_add_free(z, a, free_end);
            if (max(a, end) < b_end)
                memmap_init_reserved(z, max(a, end), b_end);
        }
        nodes[r[i].node]->online = true;
    }
}

int node_boot(void)
{
    const struct mem_range *r;
    size_t n = mem_ranges(&r);
    nr_nodes = mem_nr_nodes();
    ASSERT(nr_nodes >= 1 && nr_nodes <= MAX_NODES);
    phys_max_pfn = 0;
    memset(boot_region, 0, sizeof(boot_region));
    memset(nodes, 0, sizeof(nodes));
    int err = populate_memmap(r, n);
    if (err)
        return err;
    find_boot_regions(r, n);
    err = alloc_nodes();
    if (err)
        return err;
    find_movable(r, n);
    measure_zones(r, n);
    err = alloc_pageblocks();
    if (err)
        return err;
    err = pcp_boot();
    if (err)
        return err;
    release_memory(r, n);
    for (unsigned i = 0; i < nr_nodes; i++)
        build_zonelist(nodes[i]);
    return 0;
}

struct zone *phys_first_zone(void)
{
    return phys_next_zone(NULL);
}

struct zone *phys_next_zone(const struct zone *z)
{
    unsigned node = z ? z->node : 0, k = z ? z->index + 1u : 0;
    for (; node < nr_nodes; node++, k = 0)
        for (; k < MAX_ZONES; k++)
            if (nodes[node]->zone[k].present)
                return &nodes[node]->zone[k];
    return NULL;
}
