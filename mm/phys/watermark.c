/* SPDX-License-Identifier: MIT */
/*
 * Watermarks: how much of each zone is kept back, by Linux's formulas.
 *
 *      free pages of a zone
 *      ----- high   reclaim in the background stops
 *      ----- low    allocations below this wake reclaim
 *      ----- min    ordinary allocations stop here; GFP_HIGH at half of it, GFP_MEMALLOC at 0
 *
 *   min_free_kbytes   4 * sqrt(kB of memory), 128 .. 262144
 *   min               min_free_kbytes shared out by managed pages
 *   low, high         min + d, min + 2d; d = max(min / 4, managed * scale_factor / 10000)
 *   lowmem_reserve[j] of zone i: pages of the zones i+1 .. j of the node / ratio[i], which
 *                     allocations that could have used zone j must leave in zone i
 */
#include <mm/phys_internal.h>
#include <lib/bits.h>

u64 sysctl_min_free_kbytes, sysctl_watermark_scale_factor;
u64 sysctl_lowmem_reserve_ratio[MAX_ZONES];
static u64 reserve_pages;

#define MOVABLE_MIN_PAGES 32
#define MOVABLE_MAX_PAGES 128

static u64 isqrt(u64 x)
{
    u64 r = 0;
    for (u64 bit = 1UL << 31; bit; bit >>= 1)
        if ((r + bit) * (r + bit) <= x)
            r += bit;
    return r;
}

u64 watermark_default_kbytes(void)
{
    struct zone *z;
    u64 pages = 0;
    for_each_zone (z)
        if (z->index != ZONE_MOVABLE && z->managed > z->watermark[WMARK_HIGH])
            pages += z->managed - z->watermark[WMARK_HIGH];
    u64 kbytes = isqrt(pages * (PAGE_SIZE / 1024) * 16);
    return min(max(kbytes, 128UL), 262144UL);
}

static void setup_lowmem_reserve(void)
{
    for (unsigned n = 0; n < nr_nodes; n++) {
        struct zone *zones = nodes[n]->zone;
        for (unsigned i = 0; i < MAX_ZONES; i++) {
            u64 ratio = sysctl_lowmem_reserve_ratio[i], above = 0;
            bool none = ratio == 0 || zones[i].managed == 0;
            zones[i].lowmem_reserve[i] = 0;
            for (unsigned j = i + 1; j < MAX_ZONES; j++) {
                above += zones[j].managed;
                zones[i].lowmem_reserve[j] = none ? 0 : above / ratio;
            }
        }
    }
}

static void setup_reserve_pages(void)
{
    struct zone *z;
    u64 sum = 0;
    for_each_zone (z) {
        u64 most = 0;
        for (unsigned j = z->index; j < MAX_ZONES; j++)
            most = max(most, z->lowmem_reserve[j]);
        sum += min(most + z->watermark[WMARK_HIGH], z->managed);
    }
    reserve_pages = sum;
}

void watermark_setup(u64 min_free_kbytes)
{
    struct zone *z;
    u64 low_pages = 0, pages_min = min_free_kbytes >> (PAGE_SHIFT - 10);
    sysctl_min_free_kbytes = min_free_kbytes;
    for_each_zone (z)
        if (z->index != ZONE_MOVABLE)
            low_pages += z->managed;
    for (unsigned n = 0; n < nr_nodes; n++) {
        for (unsigned i = 0; i < MAX_ZONES; i++) {
            z = &nodes[n]->zone[i];
            u64 share = low_pages ? pages_min * z->managed / low_pages : 0;
            u64 least = share;
            if (i == ZONE_MOVABLE)
                least = min(max(z->managed / 1024, (u64)MOVABLE_MIN_PAGES), (u64)MOVABLE_MAX_PAGES);
            u64 step = max(share / 4, z->managed * sysctl_watermark_scale_factor / 10000);
            spin_lock(&z->lock);
            WRITE_ONCE(z->watermark[WMARK_MIN], least);
            WRITE_ONCE(z->watermark[WMARK_LOW], least + step);
            WRITE_ONCE(z->watermark[WMARK_HIGH], least + 2 * step);
            spin_unlock(&z->lock);
        }
    }
    setup_lowmem_reserve();
    setup_reserve_pages();
}

void watermark_boot(void)
{
    sysctl_watermark_scale_factor = 10;
    sysctl_lowmem_reserve_ratio[ZONE_DMA] = 256;
    sysctl_lowmem_reserve_ratio[ZONE_DMA32] = 256;
    sysctl_lowmem_reserve_ratio[ZONE_NORMAL] = 32;
    sysctl_lowmem_reserve_ratio[ZONE_MOVABLE] = 0;
    watermark_setup(watermark_default_kbytes());
}

u64 watermark_reserve(void)
{
    return reserve_pages;
}

bool watermark_ok(const struct zone *z, unsigned order, u64 mark, enum zone_type asked, gfp_t gfp)
{
    u64 size = 1UL << order, free = READ_ONCE(z->nr_free);
    u64 keep = mark;
    if (gfp & GFP_MEMALLOC)
        keep = 0;
    else if (gfp & GFP_HIGH)
        keep -= keep / 2;
    if (gfp & GFP_OOM_VICTIM)
        keep -= keep / 2;
    if (!(gfp & GFP_MEMALLOC))
        keep += READ_ONCE(z->lowmem_reserve[asked]);
    if (free < size || free - size < keep)
        return false;
    if (order == 0 || READ_ONCE(z->nr_virgin_pages))
        return true;
    for (unsigned o = order; o <= MAX_ORDER; o++)
        for (unsigned t = 0; t < NR_MIGRATE_TYPES; t++)
            if (READ_ONCE(z->free[o][t].head))
                return true;
    return false;
}
