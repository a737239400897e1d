/* SPDX-License-Identifier: MIT */
/* /proc/slabinfo, version 2.1. */
#include <mm/obs.h>
#include <mm/slab.h>

static void put_cache(void *ctx, const struct slab_info *i)
{
    seq_printf(ctx,
               "%-17s %6lu %6lu %6lu %4lu %4lu : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
               i->name, i->active_objs, i->num_objs, i->obj_size, i->objs_per_slab,
               i->pages_per_slab, 0, 0, 0, i->active_slabs, i->num_slabs, 0);
}

void proc_text_slabinfo(struct seq *s)
{
    seq_puts(s, "slabinfo - version: 2.1\n"
                "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
                " : tunables <limit> <batchcount> <sharedfactor>"
                " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    slab_for_each(put_cache, s);
}
