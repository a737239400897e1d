/* SPDX-License-Identifier: MIT */
/*
 * The core's per-CPU data. Reached by cpu_local() (port/cpu.h); only the owning CPU writes, without
 * atomics, because the core is not preempted; others read sums with READ_ONCE.
 */
#ifndef MM_PERCPU_H
#define MM_PERCPU_H
#include <lib/types.h>
#include <mm/stat_items.h>
#include <port/cpu.h>
#include <port/mem.h>

#define MAX_SLAB_CACHES 192
#define PCP_SLOTS       256
#define ZONE_SLOTS      64 /* 4 zones of 16 nodes */
#define NR_ZONE_LRU     5  /* NR_INACTIVE_ANON .. NR_UNEVICTABLE: kept per zone, not in node_stat */
struct slab_cpu;
struct pcp;

struct mm_cpu {
    struct pcp *pcp_alloc[8]; /* where order-0 allocations look first, by gfp & GFP_ZONE_BITS */
    struct pcp *pcp_zeroed;   /* pages of zeros for alloc_zeroed_page() */
    struct pcp *pcp_free
        [PCP_SLOTS]; /* where an order-0 page goes back to, by page->flags >> PAGE_ZONE_SHIFT */
    u64 event[NR_VM_EVENTS]; /* vm_events, summed by stat_event() */
    s64 zone_lru
        [ZONE_SLOTS]
        [NR_ZONE_LRU]; /* its share of each zone's pages on LRU lists, by page_zone_slot() */
    s64 node_stat[MAX_NODES]
                 [NR_NODE_STATS]; /* this CPU's share of each node's gauges; may be negative */
    u32 dirtied; /* pages made dirty here since the last look at the limits (mm/cache/throttle.c) */
    struct slab_cpu *slab[MAX_SLAB_CACHES]; /* by cache id */
} __aligned_to(64);

extern struct mm_cpu mm_cpus[NR_CPUS];
#endif
