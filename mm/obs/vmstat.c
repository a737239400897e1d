/* SPDX-License-Identifier: MIT */
/*
 * /proc/vmstat: every row of Linux 6.12 in its order, and where its value comes from. A feature
 * that arrives turns its A(...) rows into E(...) or N(...).
 */
#include <mm/obs.h>
#include <mm/phys.h>
#include <mm/stat.h>
#include <mm/writeback.h>

#define A(name)                                                                                    \
    {                                                                                              \
        name, VMSTAT_ABSENT, 0                                                                     \
    }
#define E(item, name)                                                                              \
    {                                                                                              \
        name, VMSTAT_EVENT, item                                                                   \
    }
#define N(item, name)                                                                              \
    {                                                                                              \
        name, VMSTAT_NODE, item                                                                    \
    }
#define S(item, name)                                                                              \
    {                                                                                              \
        name, VMSTAT_SPECIAL, item                                                                 \
    }

/* Kept per zone. */
const struct vmstat_row vmstat_zone_rows[] = {
    S(VMSTAT_FREE_PAGES, "nr_free_pages"),
    N(NR_INACTIVE_ANON, "nr_zone_inactive_anon"),
    N(NR_ACTIVE_ANON, "nr_zone_active_anon"),
    N(NR_INACTIVE_FILE, "nr_zone_inactive_file"),
    N(NR_ACTIVE_FILE, "nr_zone_active_file"),
    N(NR_UNEVICTABLE, "nr_zone_unevictable"),
    S(VMSTAT_WRITE_PENDING, "nr_zone_write_pending"),
    N(NR_MLOCK, "nr_mlock"),
    A("nr_bounce"),
    A("nr_zspages"),
    A("nr_free_cma"),
    A("nr_unaccepted"),
};
const unsigned vmstat_nr_zone_rows = ARRAY_SIZE(vmstat_zone_rows);

const struct vmstat_row vmstat_numa_rows[] = {
    E(NUMA_HIT, "numa_hit"), E(NUMA_MISS, "numa_miss"),   E(NUMA_FOREIGN, "numa_foreign"),
    A("numa_interleave"),    E(NUMA_LOCAL, "numa_local"), E(NUMA_OTHER, "numa_other"),
};
const unsigned vmstat_nr_numa_rows = ARRAY_SIZE(vmstat_numa_rows);

/* Kept per node. */
const struct vmstat_row vmstat_node_rows[] = {
    N(NR_INACTIVE_ANON, "nr_inactive_anon"),
    N(NR_ACTIVE_ANON, "nr_active_anon"),
    N(NR_INACTIVE_FILE, "nr_inactive_file"),
    N(NR_ACTIVE_FILE, "nr_active_file"),
    N(NR_UNEVICTABLE, "nr_unevictable"),
    N(NR_SLAB_RECLAIMABLE, "nr_slab_reclaimable"),
    N(NR_SLAB_UNRECLAIMABLE, "nr_slab_unreclaimable"),
    N(NR_ISOLATED_ANON, "nr_isolated_anon"),
    N(NR_ISOLATED_FILE, "nr_isolated_file"),
    N(NR_WORKINGSET_NODES, "workingset_nodes"),
    N(WORKINGSET_REFAULT_ANON, "workingset_refault_anon"),
    N(WORKINGSET_REFAULT_FILE, "workingset_refault_file"),
    N(WORKINGSET_ACTIVATE_ANON, "workingset_activate_anon"),
    N(WORKINGSET_ACTIVATE_FILE, "workingset_activate_file"),
    N(WORKINGSET_RESTORE_ANON, "workingset_restore_anon"),
    N(WORKINGSET_RESTORE_FILE, "workingset_restore_file"),
    N(WORKINGSET_NODERECLAIM, "workingset_nodereclaim"),
    N(NR_ANON_MAPPED, "nr_anon_pages"),
    N(NR_FILE_MAPPED, "nr_mapped"),
    N(NR_FILE_PAGES, "nr_file_pages"),
    N(NR_FILE_DIRTY, "nr_dirty"),
    N(NR_WRITEBACK, "nr_writeback"),
    A("nr_writeback_temp"),
    N(NR_SHMEM, "nr_shmem"),
    A("nr_shmem_hugepages"),
    A("nr_shmem_pmdmapped"),
    A("nr_file_hugepages"),
    A("nr_file_pmdmapped"),
    A("nr_anon_transparent_hugepages"),
    N(NR_VMSCAN_WRITE, "nr_vmscan_write"),
    N(NR_VMSCAN_IMMEDIATE, "nr_vmscan_immediate_reclaim"),
    N(NR_DIRTIED, "nr_dirtied"),
    N(NR_WRITTEN, "nr_written"),
    N(NR_THROTTLED_WRITTEN, "nr_throttled_written"),
    A("nr_kernel_misc_reclaimable"),
    N(NR_FOLL_PIN_ACQUIRED, "nr_foll_pin_acquired"),
    N(NR_FOLL_PIN_RELEASED, "nr_foll_pin_released"),
    N(NR_KERNEL_STACK_KB, "nr_kernel_stack"),
    N(NR_PAGETABLE, "nr_page_table_pages"),
    A("nr_sec_page_table_pages"),
    A("nr_iommu_pages"),
    N(NR_SWAPCACHE, "nr_swapcached"),
    A("pgpromote_success"),
    A("pgpromote_candidate"),
    A("pgdemote_kswapd"),
    A("pgdemote_direct"),
    A("pgdemote_khugepaged"),
};
const unsigned vmstat_nr_node_rows = ARRAY_SIZE(vmstat_node_rows);

/* Thresholds of write-back, the memory map, then events. */
const struct vmstat_row vmstat_event_rows[] = {
    S(VMSTAT_DIRTY_THRESHOLD, "nr_dirty_threshold"),
    S(VMSTAT_DIRTY_BACKGROUND, "nr_dirty_background_threshold"),
    A("nr_memmap_pages"),
    S(VMSTAT_MEMMAP_BOOT_PAGES, "nr_memmap_boot_pages"),
    E(PGPGIN, "pgpgin"),
    E(PGPGOUT, "pgpgout"),
    E(PSWPIN, "pswpin"),
    E(PSWPOUT, "pswpout"),
    E(PGALLOC_DMA, "pgalloc_dma"),
    E(PGALLOC_DMA32, "pgalloc_dma32"),
    E(PGALLOC_NORMAL, "pgalloc_normal"),
    E(PGALLOC_MOVABLE, "pgalloc_movable"),
    A("pgalloc_device"),
    E(ALLOCSTALL_DMA, "allocstall_dma"),
    E(ALLOCSTALL_DMA32, "allocstall_dma32"),
    E(ALLOCSTALL_NORMAL, "allocstall_normal"),
    E(ALLOCSTALL_MOVABLE, "allocstall_movable"),
    A("allocstall_device"),
    E(PGSKIP_DMA, "pgskip_dma"),
    E(PGSKIP_DMA32, "pgskip_dma32"),
    E(PGSKIP_NORMAL, "pgskip_normal"),
    E(PGSKIP_MOVABLE, "pgskip_movable"),
    A("pgskip_device"),
    E(PGFREE, "pgfree"),
    E(PGACTIVATE, "pgactivate"),
    E(PGDEACTIVATE, "pgdeactivate"),
    E(PGLAZYFREE, "pglazyfree"),
    E(PGFAULT, "pgfault"),
    E(PGMAJFAULT, "pgmajfault"),
    E(PGLAZYFREED, "pglazyfreed"),
    E(PGREFILL, "pgrefill"),
    E(COW_REUSE, "pgreuse"),
    E(PGSTEAL_KSWAPD, "pgsteal_kswapd"),
    E(PGSTEAL_DIRECT, "pgsteal_direct"),
    A("pgsteal_khugepaged"),
    E(PGSCAN_KSWAPD, "pgscan_kswapd"),
    E(PGSCAN_DIRECT, "pgscan_direct"),
    A("pgscan_khugepaged"),
    E(PGSCAN_DIRECT_THROTTLE, "pgscan_direct_throttle"),
    E(PGSCAN_ANON, "pgscan_anon"),
    E(PGSCAN_FILE, "pgscan_file"),
    E(PGSTEAL_ANON, "pgsteal_anon"),
    E(PGSTEAL_FILE, "pgsteal_file"),
    A("zone_reclaim_success"),
    A("zone_reclaim_failed"),
    E(PGINODESTEAL, "pginodesteal"),
    E(SLABS_SCANNED, "slabs_scanned"),
    E(KSWAPD_INODESTEAL, "kswapd_inodesteal"),
    E(KSWAPD_LOW_WMARK_HIT_QUICKLY, "kswapd_low_wmark_hit_quickly"),
    E(KSWAPD_HIGH_WMARK_HIT_QUICKLY, "kswapd_high_wmark_hit_quickly"),
    E(PAGEOUTRUN, "pageoutrun"),
    E(PGROTATED, "pgrotated"),
    E(DROP_PAGECACHE, "drop_pagecache"),
    E(DROP_SLAB, "drop_slab"),
    E(OOM_KILL, "oom_kill"),
    A("numa_pte_updates"),
    A("numa_huge_pte_updates"),
    A("numa_hint_faults"),
    A("numa_hint_faults_local"),
    A("numa_pages_migrated"),
    A("pgmigrate_success"),
    A("pgmigrate_fail"),
    A("thp_migration_success"),
    A("thp_migration_fail"),
    A("thp_migration_split"),
    A("compact_migrate_scanned"),
    A("compact_free_scanned"),
    A("compact_isolated"),
    A("compact_stall"),
    A("compact_fail"),
    A("compact_success"),
    A("compact_daemon_wake"),
    A("compact_daemon_migrate_scanned"),
    A("compact_daemon_free_scanned"),
    A("htlb_buddy_alloc_success"),
    A("htlb_buddy_alloc_fail"),
    E(UNEVICTABLE_PGCULLED, "unevictable_pgs_culled"),
    A("unevictable_pgs_scanned"),
    E(UNEVICTABLE_PGRESCUED, "unevictable_pgs_rescued"),
    E(UNEVICTABLE_PGMLOCKED, "unevictable_pgs_mlocked"),
    E(UNEVICTABLE_PGMUNLOCKED, "unevictable_pgs_munlocked"),
    E(UNEVICTABLE_PGCLEARED, "unevictable_pgs_cleared"),
    A("unevictable_pgs_stranded"),
    A("thp_fault_alloc"),
    A("thp_fault_fallback"),
    A("thp_fault_fallback_charge"),
    A("thp_collapse_alloc"),
    A("thp_collapse_alloc_failed"),
    A("thp_file_alloc"),
    A("thp_file_fallback"),
    A("thp_file_fallback_charge"),
    A("thp_file_mapped"),
    A("thp_split_page"),
    A("thp_split_page_failed"),
    A("thp_deferred_split_page"),
    A("thp_underused_split_page"),
    A("thp_split_pmd"),
    A("thp_scan_exceed_none_pte"),
    A("thp_scan_exceed_swap_pte"),
    A("thp_scan_exceed_share_pte"),
    A("thp_split_pud"),
    A("thp_zero_page_alloc"),
    A("thp_zero_page_alloc_failed"),
    A("thp_swpout"),
    A("thp_swpout_fallback"),
    A("balloon_inflate"),
    A("balloon_deflate"),
    A("balloon_migrate"),
    E(SWAP_RA, "swap_ra"),
    E(SWAP_RA_HIT, "swap_ra_hit"),
    A("swpin_zero"),
    A("swpout_zero"),
    A("ksm_swpin_copy"),
    A("cow_ksm"),
    A("zswpin"),
    A("zswpout"),
    A("zswpwb"),
    A("direct_map_level2_splits"),
    A("direct_map_level3_splits"),
    A("nr_unstable"),
};
const unsigned vmstat_nr_event_rows = ARRAY_SIZE(vmstat_event_rows);

static u64 special(enum vmstat_special item)
{
    struct dirty_limits dirty;
    switch (item) {
    case VMSTAT_FREE_PAGES:
        return phys_free();
    case VMSTAT_WRITE_PENDING:
        return (u64)(stat_sum(NR_FILE_DIRTY) + stat_sum(NR_WRITEBACK));
    case VMSTAT_DIRTY_THRESHOLD:
        writeback_limits(&dirty);
        return dirty.limit;
    case VMSTAT_DIRTY_BACKGROUND:
        writeback_limits(&dirty);
        return dirty.background;
    case VMSTAT_MEMMAP_BOOT_PAGES:
        return phys_present() * sizeof(struct page) >> PAGE_SHIFT;
    }
    return 0;
}

static u64 value(const struct vmstat_row *r)
{
    switch (r->source) {
    case VMSTAT_EVENT: /* PGPGIN, PGPGOUT: counted in sectors, shown in KiB */
        return stat_event_sum(r->item) / (r->item == PGPGIN || r->item == PGPGOUT ? 2 : 1);
    case VMSTAT_NODE:
        return (u64)stat_sum(r->item);
    case VMSTAT_SPECIAL:
        return special(r->item);
    default:
        return 0;
    }
}

static void put_rows(struct seq *s, const struct vmstat_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        seq_puts(s, rows[i].name);
        seq_put_dec(s, " ", value(&rows[i]));
        seq_putc(s, '\n');
    }
}

void proc_text_vmstat(struct seq *s)
{
    put_rows(s, vmstat_zone_rows, vmstat_nr_zone_rows);
    put_rows(s, vmstat_numa_rows, vmstat_nr_numa_rows);
    put_rows(s, vmstat_node_rows, vmstat_nr_node_rows);
    put_rows(s, vmstat_event_rows, vmstat_nr_event_rows);
}
