/* SPDX-License-Identifier: MIT */
/*
 * mm_boot: the core comes up, each part on the ones before it.
 *
 *      per-CPU data -> nodes, zones, memory map, per-CPU lists -> watermarks
 *        -> slab, kmalloc, vmalloc -> page tables -> rmap
 *      -> page cache -> areas
 */
#include <mm/phys_internal.h>
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/slab.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>
#include <mm/vma.h>

int mm_boot(void)
{
    int err;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        cpu_set_local(cpu, &mm_cpus[cpu]);
    pcp_reset();
    alloc_boot();
    if ((err = node_boot()))
        return err;
    watermark_boot();
    pcp_open_all();
    if ((err = slab_boot()))
        return err;
    if ((err = vmalloc_boot()))
        return err;
    if ((err = pt_boot()))
        return err;
    if ((err = rmap_boot()))
        return err;
    if ((err = cache_boot()))
        return err;
    shrinkers_boot();
    shadow_boot();
    return vma_boot();
}
