/* SPDX-License-Identifier: MIT */
/*
 * What file systems give back when memory runs short: unused dentries, and with them their inodes and what these have cached. Pages of
 * files are reclaimed one by one, by mm/reclaim.
 *
 * H1. The end of an inode takes locks and may wait for its device or server: only kswapd, which holds no locks, asks for it.
 */
#include "internal.h"
#include <mm/reclaim.h>
#include <mm/shrinker.h>

static u64 count_dentries(struct shrinker *s, unsigned node)
{
    u64 n = dcache_unused();
    return n / 100 * sysctl_vfs_cache_pressure + n % 100 * sysctl_vfs_cache_pressure / 100;
}

static u64 scan_dentries(struct shrinker *s, unsigned node, u64 nr, gfp_t gfp)
{
    return dcache_shrink(nr);
}

void shrink_boot(void)
{
    static struct shrinker dentries = {
        .name = "dentries", .count = count_dentries, .scan = scan_dentries, .seeks = 2, .batch = 1024, .kswapd_only = true};
    shrinker_register(&dentries);
}
