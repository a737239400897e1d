/* SPDX-License-Identifier: MIT */
/*
 * Counters under Linux's names (/proc/vmstat). Events only grow and are per CPU. Node statistics are gauges kept per
 * (node, CPU) and summed on reading: exact, without shared writes.
 */
#ifndef MM_STAT_H
#define MM_STAT_H
#include <mm/percpu.h>

/* Adds to an event of this CPU. Callable anywhere but in interrupts. */
static inline void stat_event_add(enum vm_event e, u64 n)
{
    cpu_local()->event[e] += n;
}
static inline void stat_event(enum vm_event e)
{
    cpu_local()->event[e]++;
}
/* Adds n to a gauge of the node. */
static inline void stat_node_add(unsigned node, enum node_stat s, s64 n)
{
    cpu_local()->node_stat[node][s] += n;
}
/* Sums over all CPUs; the last one over all nodes too. A gauge is clamped at 0 while others change it. */
u64 stat_event_sum(enum vm_event e);
s64 stat_node_sum(unsigned node, enum node_stat s);
s64 stat_sum(enum node_stat s);
/* Pages of a zone (page_zone_slot()) on LRU lists; s: NR_INACTIVE_ANON .. NR_UNEVICTABLE. */
s64 stat_zone_lru(unsigned zone_slot, enum node_stat s);
/* Names as in /proc/vmstat; NULL for what Linux 6.12 does not print. */
extern const char *const stat_event_name[NR_VM_EVENTS];
extern const char *const stat_node_name[NR_NODE_STATS];
#endif
