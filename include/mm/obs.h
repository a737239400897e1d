/* SPDX-License-Identifier: MIT */
/*
 * The texts of /proc that concern the whole machine, line by line as Linux 6.12 prints them. Bodies
 * in mm/obs/. What a feature that is absent would count reads 0. All may sleep; all append to the
 * seq.
 */
#ifndef MM_OBS_H
#define MM_OBS_H
#include <lib/fmt.h>
#include <port/page.h>

void proc_text_meminfo(struct seq *s);
void proc_text_vmstat(struct seq *s);
void proc_text_zoneinfo(struct seq *s);
void proc_text_buddyinfo(struct seq *s);
void proc_text_pagetypeinfo(struct seq *s);
void proc_text_slabinfo(struct seq *s);
void proc_text_vmallocinfo(struct seq *s);
/* Words of /proc/kpageflags and /proc/kpagecount for a frame, and the first frame beyond all. */
u64 obs_kpageflags(pfn_t pfn);
u64 obs_kpagecount(pfn_t pfn);
u64 obs_kpage_end(void);
/* /sys/devices/system/node/nodeN/meminfo, .../vmstat and .../numastat. */
void sys_text_node_meminfo(struct seq *s, unsigned node);
void sys_text_node_vmstat(struct seq *s, unsigned node);
void sys_text_node_numastat(struct seq *s, unsigned node);

/* Rows of /proc/vmstat, shared by the texts above. */
enum vmstat_source {
    VMSTAT_ABSENT,  /* always 0 */
    VMSTAT_EVENT,   /* item: enum vm_event */
    VMSTAT_NODE,    /* item: enum node_stat */
    VMSTAT_SPECIAL, /* item: enum vmstat_special */
};
enum vmstat_special {
    VMSTAT_FREE_PAGES,
    VMSTAT_MEMMAP_BOOT_PAGES,
    VMSTAT_WRITE_PENDING,
    VMSTAT_DIRTY_THRESHOLD,
    VMSTAT_DIRTY_BACKGROUND,
};
struct vmstat_row {
    const char *name;
    u8 source, item;
};
extern const struct vmstat_row vmstat_zone_rows[], vmstat_numa_rows[], vmstat_node_rows[],
    vmstat_event_rows[];
extern const unsigned vmstat_nr_zone_rows, vmstat_nr_numa_rows, vmstat_nr_node_rows,
    vmstat_nr_event_rows;
const char *zone_name(unsigned index);
#endif
