/* SPDX-License-Identifier: MIT */
/* /proc/zoneinfo, and the vmstat and numastat of a node. */
#include <mm/obs.h>
#include <mm/phys.h>
#include <mm/reclaim.h>
#include <mm/stat.h>

/* Linux has a fifth zone, for device memory; it is always empty here. */
#define NR_ZONES_SHOWN (MAX_ZONES + 1)

const char *zone_name(unsigned index)
{
    static const char *const names[NR_ZONES_SHOWN] = {"DMA", "DMA32", "Normal", "Movable",
                                                      "Device"};
    return names[index];
}

static u64 node_value(unsigned node, const struct vmstat_row *r)
{
    return r->source == VMSTAT_NODE ? (u64)stat_node_sum(node, r->item) : 0;
}

/* The last populated zone stands for what is only kept per node (nr_mlock). */
static bool is_last_zone(const struct zone *z)
{
    for (unsigned k = z->index + 1u; k < MAX_ZONES; k++)
        if (nodes[z->node]->zone[k].managed)
            return false;
    return true;
}

static u64 zone_value(const struct zone *z, const struct vmstat_row *r)
{
    if (r->source == VMSTAT_SPECIAL && r->item == VMSTAT_FREE_PAGES)
        return READ_ONCE(z->nr_free);
    if (r->source == VMSTAT_SPECIAL && r->item == VMSTAT_WRITE_PENDING && is_last_zone(z))
        return (u64)(stat_node_sum(z->node, NR_FILE_DIRTY) + stat_node_sum(z->node, NR_WRITEBACK));
    if (r->source != VMSTAT_NODE)
        return 0;
    if (r->item <= NR_UNEVICTABLE)
        return (u64)stat_zone_lru(z->node * MAX_ZONES + z->index, r->item);
    return is_last_zone(z) ? (u64)stat_node_sum(z->node, r->item) : 0;
}

static u64 numa_value(const struct zone_counts *c, const struct vmstat_row *r)
{
    switch (r->source == VMSTAT_EVENT ? r->item : NR_VM_EVENTS) {
    case NUMA_HIT:
        return c->numa_hit;
    case NUMA_MISS:
        return c->numa_miss;
    case NUMA_FOREIGN:
        return c->numa_foreign;
    case NUMA_LOCAL:
        return c->numa_local;
    case NUMA_OTHER:
        return c->numa_other;
    default:
        return 0;
    }
}

static void put_marks(struct seq *s, const struct zone *z)
{
    u64 low = z->watermark[WMARK_LOW], high = z->watermark[WMARK_HIGH];
    seq_printf(
        s,
        "\n  pages free     %lu\n        boost    %u\n        min      %lu\n        low      %lu\n"
        "        high     %lu\n        promo    %lu\n        spanned  %lu\n        present  %lu\n"
        "        managed  %lu\n        cma      %u\n        protection: (",
        READ_ONCE(z->nr_free), 0, z->watermark[WMARK_MIN], low, high, high + (high - low),
        z->end_pfn - z->start_pfn, z->present, z->managed, 0);
    for (unsigned j = 0; j < MAX_ZONES; j++)
        seq_printf(s, "%lu, ", z->lowmem_reserve[j]);
    seq_printf(s, "%lu)", z->lowmem_reserve[MAX_ZONES - 1]);
}

static void put_pagesets(struct seq *s, const struct zone *z)
{
    unsigned cpu;
    seq_puts(s, "\n  pagesets");
    for_each_cpu (cpu, cpu_online_mask()) {
        u32 count = 0, high = 0, batch = 1;
        for (unsigned k = 0; k < NR_PCPS; k++) {
            const struct pcp *p = z->pcp[cpu][k];
            count += READ_ONCE(p->count);
            high += p->high;
            batch = p->batch;
        }
        seq_printf(s,
                   "\n    cpu: %u\n              count: %u\n              high:  %u\n              "
                   "batch: %u"
                   "\n  vm stats threshold: %u",
                   cpu, count, high, batch, 0);
    }
}

static void put_zone(struct seq *s, const struct zone *z, bool first)
{
    seq_printf(s, "Node %u, zone %8s", (unsigned)z->node, zone_name(z->index));
    if (first) {
        seq_puts(s, "\n  per-node stats");
        for (unsigned i = 0; i < vmstat_nr_node_rows; i++)
            seq_printf(s, "\n      %-12s %lu", vmstat_node_rows[i].name,
                       node_value(z->node, &vmstat_node_rows[i]));
    }
    put_marks(s, z);
    if (!z->managed) {
        seq_putc(s, '\n');
        return;
    }
    struct zone_counts c;
    zone_counts(z, &c);
    for (unsigned i = 0; i < vmstat_nr_zone_rows; i++)
        seq_printf(s, "\n      %-12s %lu", vmstat_zone_rows[i].name,
                   zone_value(z, &vmstat_zone_rows[i]));
    for (unsigned i = 0; i < vmstat_nr_numa_rows; i++)
        seq_printf(s, "\n      %-12s %lu", vmstat_numa_rows[i].name,
                   numa_value(&c, &vmstat_numa_rows[i]));
    put_pagesets(s, z);
    seq_printf(s, "\n  node_unreclaimable:  %u\n  start_pfn:           %lu\n",
               (unsigned)reclaim_node_given_up(z->node), z->start_pfn);
}

void proc_text_zoneinfo(struct seq *s)
{
    for (unsigned n = 0; n < nr_nodes; n++) {
        bool first = true;
        struct zone device = {.index = MAX_ZONES, .node = (u8)n};
        for (unsigned k = 0; k < MAX_ZONES; k++) {
            const struct zone *z = &nodes[n]->zone[k];
            put_zone(s, z, first && z->managed);
            first = first && !z->managed;
        }
        put_zone(s, &device, false);
    }
}

static void node_counts(unsigned node, struct zone_counts *sum)
{
    *sum = (struct zone_counts){0};
    for (unsigned k = 0; k < MAX_ZONES; k++) {
        struct zone_counts c;
        zone_counts(&nodes[node]->zone[k], &c);
        sum->numa_hit += c.numa_hit;
        sum->numa_miss += c.numa_miss;
        sum->numa_foreign += c.numa_foreign;
        sum->numa_local += c.numa_local;
        sum->numa_other += c.numa_other;
    }
}

void sys_text_node_vmstat(struct seq *s, unsigned node)
{
    struct zone_counts c;
    node_counts(node, &c);
    for (unsigned i = 0; i < vmstat_nr_zone_rows; i++) {
        u64 sum = 0;
        for (unsigned k = 0; k < MAX_ZONES; k++)
            if (nodes[node]->zone[k].managed)
                sum += zone_value(&nodes[node]->zone[k], &vmstat_zone_rows[i]);
        seq_printf(s, "%s %lu\n", vmstat_zone_rows[i].name, sum);
    }
    for (unsigned i = 0; i < vmstat_nr_numa_rows; i++)
        seq_printf(s, "%s %lu\n", vmstat_numa_rows[i].name, numa_value(&c, &vmstat_numa_rows[i]));
    for (unsigned i = 0; i < vmstat_nr_node_rows; i++)
        seq_printf(s, "%s %lu\n", vmstat_node_rows[i].name, node_value(node, &vmstat_node_rows[i]));
}

void sys_text_node_numastat(struct seq *s, unsigned node)
{
    struct zone_counts c;
    node_counts(node, &c);
    seq_printf(s,
               "numa_hit %lu\nnuma_miss %lu\nnuma_foreign %lu\ninterleave_hit %u\nlocal_node "
               "%lu\nother_node %lu\n",
               c.numa_hit, c.numa_miss, c.numa_foreign, 0, c.numa_local, c.numa_other);
}
