/* SPDX-License-Identifier: MIT */
/*
 * /proc/buddyinfo: free blocks of each order, zone by zone. Virgin memory counts as blocks of the
 * largest order.
 */
#include <mm/obs.h>
#include <mm/phys.h>

void proc_text_buddyinfo(struct seq *s)
{
    struct zone *z;
    for_each_zone (z) {
        if (!z->managed)
            continue;
        seq_printf(s, "Node %u, zone %8s ", (unsigned)z->node, zone_name(z->index));
        for (unsigned o = 0; o <= MAX_ORDER; o++) {
            u64 n = 0;
            for (unsigned t = 0; t < NR_MIGRATE_TYPES; t++)
                n += zone_free_blocks(z, o, t);
            seq_printf(s, "%6lu ", n);
        }
        seq_putc(s, '\n');
    }
}
