/* SPDX-License-Identifier: MIT */
/*
 * /proc/pagetypeinfo: free blocks and page blocks by mobility. Linux's types HighAtomic and Isolate
 * are always empty here.
 */
#include <mm/obs.h>
#include <mm/phys.h>

static const char *const type_names[] = {"Unmovable", "Movable", "Reclaimable", "HighAtomic",
                                         "Isolate"};

static void put_free_blocks(struct seq *s, struct zone *z)
{
    for (unsigned t = 0; t < ARRAY_SIZE(type_names); t++) {
        seq_printf(s, "Node %4u, zone %8s, type %12s ", (unsigned)z->node, zone_name(z->index),
                   type_names[t]);
        for (unsigned o = 0; o <= MAX_ORDER; o++)
            seq_printf(s, "%6lu ", t < NR_MIGRATE_TYPES ? zone_free_blocks(z, o, t) : 0);
        seq_putc(s, '\n');
    }
}

void proc_text_pagetypeinfo(struct seq *s)
{
    struct zone *z;
    seq_printf(s, "Page block order: %u\nPages per block:  %u\n\n", PAGEBLOCK_ORDER,
               PAGEBLOCK_PAGES);
    seq_printf(s, "%-43s ", "Free pages count per migrate type at order");
    for (unsigned o = 0; o <= MAX_ORDER; o++)
        seq_printf(s, "%6u ", o);
    seq_putc(s, '\n');
    for_each_zone (z)
        if (z->managed)
            put_free_blocks(s, z);
    seq_printf(s, "\n%-23s", "Number of blocks type ");
    for (unsigned t = 0; t < ARRAY_SIZE(type_names); t++)
        seq_printf(s, "%12s ", type_names[t]);
    seq_putc(s, '\n');
    for_each_zone (z) {
        if (!z->managed)
            continue;
        seq_printf(s, "Node %u, zone %8s ", (unsigned)z->node, zone_name(z->index));
        for (unsigned t = 0; t < ARRAY_SIZE(type_names); t++)
            seq_printf(s, "%12lu ", t < NR_MIGRATE_TYPES ? zone_pageblocks(z, t) : 0);
        seq_putc(s, '\n');
    }
}
