/* SPDX-License-Identifier: MIT */
/* Sums of the per-CPU counters, and their names in /proc/vmstat. */
#include <mm/phys.h>
#include <mm/stat.h>

struct mm_cpu mm_cpus[NR_CPUS];

BUILD_ASSERT(NR_INACTIVE_ANON == 0 && NR_UNEVICTABLE == NR_ZONE_LRU - 1 &&
             MAX_ZONES * MAX_NODES == ZONE_SLOTS);

const char *const stat_event_name[NR_VM_EVENTS] = {
    [PGPGIN] = "pgpgin",
    [PGSCAN_DIRECT_THROTTLE] = "pgscan_direct_throttle",
    [PGSCAN_ANON] = "pgscan_anon",
    [PGSCAN_FILE] = "pgscan_file",
    [PGSTEAL_ANON] = "pgsteal_anon",
    [PGSTEAL_FILE] = "pgsteal_file",
    [ALLOCSTALL_DMA] = "allocstall_dma",
    [ALLOCSTALL_DMA32] = "allocstall_dma32",
    [PGSKIP_DMA] = "pgskip_dma",
    [PGSKIP_DMA32] = "pgskip_dma32",
    [PGSKIP_NORMAL] = "pgskip_normal",
    [PGSKIP_MOVABLE] = "pgskip_movable",
    [PGLAZYFREE] = "pglazyfree",
    [PGLAZYFREED] = "pglazyfreed",
    [PGROTATED] = "pgrotated",
    [PAGEOUTRUN] = "pageoutrun",
    [PGINODESTEAL] = "pginodesteal",
    [KSWAPD_INODESTEAL] = "kswapd_inodesteal",
    [KSWAPD_LOW_WMARK_HIT_QUICKLY] = "kswapd_low_wmark_hit_quickly",
    [KSWAPD_HIGH_WMARK_HIT_QUICKLY] = "kswapd_high_wmark_hit_quickly",
    [PGPGOUT] = "pgpgout",
    [PSWPIN] = "pswpin",
    [PSWPOUT] = "pswpout",
    [PGALLOC_DMA] = "pgalloc_dma",
    [PGALLOC_DMA32] = "pgalloc_dma32",
    [PGALLOC_NORMAL] = "pgalloc_normal",
    [PGALLOC_MOVABLE] = "pgalloc_movable",
    [PGFREE] = "pgfree",
    [PGACTIVATE] = "pgactivate",
    [PGDEACTIVATE] = "pgdeactivate",
    [PGFAULT] = "pgfault",
    [PGMAJFAULT] = "pgmajfault",
    [PGREFILL] = "pgrefill",
    [PGSTEAL_KSWAPD] = "pgsteal_kswapd",
    [PGSTEAL_DIRECT] = "pgsteal_direct",
    [PGSCAN_KSWAPD] = "pgscan_kswapd",
    [PGSCAN_DIRECT] = "pgscan_direct",
    [ALLOCSTALL_NORMAL] = "allocstall_normal",
    [ALLOCSTALL_MOVABLE] = "allocstall_movable",
    [SLABS_SCANNED] = "slabs_scanned",
    [DROP_PAGECACHE] = "drop_pagecache",
    [DROP_SLAB] = "drop_slab",
    [OOM_KILL] = "oom_kill",
    [UNEVICTABLE_PGMLOCKED] = "unevictable_pgs_mlocked",
    [UNEVICTABLE_PGMUNLOCKED] = "unevictable_pgs_munlocked",
    [UNEVICTABLE_PGCULLED] = "unevictable_pgs_culled",
    [UNEVICTABLE_PGRESCUED] = "unevictable_pgs_rescued",
    [UNEVICTABLE_PGCLEARED] = "unevictable_pgs_cleared",
    [NUMA_HIT] = "numa_hit",
    [NUMA_MISS] = "numa_miss",
    [NUMA_FOREIGN] = "numa_foreign",
    [NUMA_LOCAL] = "numa_local",
    [NUMA_OTHER] = "numa_other",
    [COW_REUSE] = "pgreuse",
    [SWAP_RA] = "swap_ra",
    [SWAP_RA_HIT] = "swap_ra_hit",
};

const char *const stat_node_name[NR_NODE_STATS] = {
    [NR_INACTIVE_ANON] = "nr_inactive_anon",
    [NR_ISOLATED_ANON] = "nr_isolated_anon",
    [NR_ISOLATED_FILE] = "nr_isolated_file",
    [NR_WORKINGSET_NODES] = "workingset_nodes",
    [WORKINGSET_REFAULT_ANON] = "workingset_refault_anon",
    [WORKINGSET_REFAULT_FILE] = "workingset_refault_file",
    [WORKINGSET_ACTIVATE_ANON] = "workingset_activate_anon",
    [WORKINGSET_ACTIVATE_FILE] = "workingset_activate_file",
    [WORKINGSET_RESTORE_ANON] = "workingset_restore_anon",
    [WORKINGSET_RESTORE_FILE] = "workingset_restore_file",
    [WORKINGSET_NODERECLAIM] = "workingset_nodereclaim",
    [NR_VMSCAN_WRITE] = "nr_vmscan_write",
    [NR_VMSCAN_IMMEDIATE] = "nr_vmscan_immediate_reclaim",
    [NR_THROTTLED_WRITTEN] = "nr_throttled_written",
    [NR_ACTIVE_ANON] = "nr_active_anon",
    [NR_INACTIVE_FILE] = "nr_inactive_file",
    [NR_ACTIVE_FILE] = "nr_active_file",
    [NR_UNEVICTABLE] = "nr_unevictable",
    [NR_ANON_MAPPED] = "nr_anon_pages",
    [NR_FILE_MAPPED] = "nr_mapped",
    [NR_FILE_PAGES] = "nr_file_pages",
    [NR_FILE_DIRTY] = "nr_dirty",
    [NR_WRITEBACK] = "nr_writeback",
    [NR_SHMEM] = "nr_shmem",
    [NR_SLAB_RECLAIMABLE] = "nr_slab_reclaimable",
    [NR_SLAB_UNRECLAIMABLE] = "nr_slab_unreclaimable",
    [NR_PAGETABLE] = "nr_page_table_pages",
    [NR_KERNEL_STACK_KB] = "nr_kernel_stack",
    [NR_MLOCK] = "nr_mlock",
    [NR_DIRTIED] = "nr_dirtied",
    [NR_WRITTEN] = "nr_written",
    [NR_FOLL_PIN_ACQUIRED] = "nr_foll_pin_acquired",
    [NR_FOLL_PIN_RELEASED] = "nr_foll_pin_released",
    [NR_SWAPCACHE] = "nr_swapcached",
};

/* What the page allocator counts per zone. */
static u64 zone_event(enum vm_event e)
{
    struct zone *z;
    u64 sum = 0;
    for_each_zone (z) {
        struct zone_counts c;
        zone_counts(z, &c);
        switch (e) {
        case PGALLOC_DMA:
        case PGALLOC_DMA32:
        case PGALLOC_NORMAL:
        case PGALLOC_MOVABLE:
            if (z->index == e - PGALLOC_DMA)
                sum += c.alloc_pages;
            break;
        case PGFREE:
            sum += c.frees;
            break;
        case NUMA_HIT:
            sum += c.numa_hit;
            break;
        case NUMA_MISS:
            sum += c.numa_miss;
            break;
        case NUMA_FOREIGN:
            sum += c.numa_foreign;
            break;
        case NUMA_LOCAL:
            sum += c.numa_local;
            break;
        case NUMA_OTHER:
            sum += c.numa_other;
            break;
        default:
            return 0;
        }
    }
    return sum;
}

u64 stat_event_sum(enum vm_event e)
{
    u64 sum = zone_event(e);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        sum += READ_ONCE(mm_cpus[cpu].event[e]);
    return sum;
}

s64 stat_zone_lru(unsigned zone_slot, enum node_stat s)
{
    s64 sum = 0;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        sum += READ_ONCE(mm_cpus[cpu].zone_lru[zone_slot][s - NR_INACTIVE_ANON]);
    return max(sum, 0L);
}

s64 stat_node_sum(unsigned node, enum node_stat s)
{
    s64 sum = 0;
    if (s >= NR_INACTIVE_ANON && s <= NR_UNEVICTABLE) {
        for (unsigned k = 0; k < MAX_ZONES; k++)
            sum += stat_zone_lru(node * MAX_ZONES + k, s);
        return sum;
    }
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        sum += READ_ONCE(mm_cpus[cpu].node_stat[node][s]);
    return max(sum, 0L);
}

s64 stat_sum(enum node_stat s)
{
    s64 sum = 0;
    for (unsigned node = 0; node < nr_nodes; node++)
        sum += stat_node_sum(node, s);
    return sum;
}
