/* SPDX-License-Identifier: MIT */
/* Sums over zones and CPUs: how much memory there is, how much is free, how much could be had. */
#include <mm/phys_internal.h>
#include <mm/stat.h>

void zone_counts(const struct zone *z, struct zone_counts *out)
{
    *out = (struct zone_counts){0};
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        bool local = mem_cpu_node(cpu) == z->node;
        u64 here = 0;
        for (unsigned k = 0; k < NR_PCPS; k++) {
            const struct pcp *p = z->pcp[cpu][k];
            if (!p)
                continue;
            u64 allocs = READ_ONCE(p->allocs);
            here += allocs;
            out->alloc_pages += allocs + READ_ONCE(p->alloc_pages);
            out->frees += READ_ONCE(p->frees);
            out->numa_miss += READ_ONCE(p->numa_miss);
            out->numa_foreign += READ_ONCE(p->numa_foreign);
            out->pcp_pages += READ_ONCE(p->count);
        }
        out->allocs += here;
        *(local ? &out->numa_local : &out->numa_other) += here;
    }
    out->numa_hit = out->allocs > out->numa_miss ? out->allocs - out->numa_miss : 0;
}

u64 phys_free(void)
{
    struct zone *z;
    u64 n = 0;
    for_each_zone (z)
        n += READ_ONCE(z->nr_free);
    return n;
}

u64 phys_free_all(void)
{
    struct zone *z;
    u64 n = 0;
    for_each_zone (z)
        n += READ_ONCE(z->nr_free) + pcp_pages(z);
    return n;
}

static u64 nr_managed; /* the sum of all zones': asked for with each mmap */

void zone_add_managed(struct zone *z, u64 pages)
{
    z->managed += pages;
    __atomic_fetch_add(&nr_managed, pages, __ATOMIC_RELAXED);
}

u64 phys_managed(void)
{
    return READ_ONCE(nr_managed);
}

u64 phys_present(void)
{
    struct zone *z;
    u64 n = 0;
    for_each_zone (z)
        n += z->present;
    return n;
}

u64 phys_available(void)
{
    struct zone *z;
    u64 low = 0;
    for_each_zone (z)
        low += READ_ONCE(z->watermark[WMARK_LOW]);
    s64 files = stat_sum(NR_ACTIVE_FILE) + stat_sum(NR_INACTIVE_FILE);
    s64 slabs = stat_sum(NR_SLAB_RECLAIMABLE);
    s64 n = (s64)phys_free() - (s64)watermark_reserve();
    /* Some of what could be dropped is in use: half of it, or as much as the low watermarks. */
    n += files - min(files / 2, (s64)low);
    n += slabs - min(slabs / 2, (s64)low);
    return n > 0 ? (u64)n : 0;
}

u64 zone_free_blocks(struct zone *z, unsigned order, enum migrate_type type)
{
    spin_lock(&z->lock);
    u64 n = z->free[order][type].nr;
    if (order == MAX_ORDER && type == MIGRATE_MOVABLE)
        n += z->nr_virgin_pages >> MAX_ORDER;
    spin_unlock(&z->lock);
    return n;
}

u64 zone_pageblocks(struct zone *z, enum migrate_type type)
{
    u64 n = 0;
    spin_lock(&z->lock);
    for (u64 i = 0; i < z->nr_blocks; i++) {
        pfn_t pfn = z->block_base + (i << PAGEBLOCK_ORDER);
        if (pfn_is_virgin(z, pfn))
            n += type == MIGRATE_MOVABLE;
        else
            n += z->pageblock[i] == type;
    }
    spin_unlock(&z->lock);
    return n;
}
