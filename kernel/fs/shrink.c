/* SPDX-License-Identifier: MIT */
/*
 * What files can give back when memory runs short: clean pages of the page cache that nobody maps, and unused dentries with
 * their inodes. The pages of a file on a device can be read again; shared memory has nowhere to go and stays.
 *
 *   allocation that finds no page -> reclaim(): pages, by inode, in turn      -> kshrinkd (a thread): dentries, which may sleep
 *
 * H1. reclaim() takes spinlocks and page trylocks only: whoever allocates may hold any lock that sleeps.
 * H2. An inode on its superblock's list is not freed while inodes_lock is held; its mapping may be on its way out (cache_remove
 *     decides under tree_lock who takes a page).
 */
#include "internal.h"
#include <mm/oom.h>
#include <mm/phys.h>

#define WANT_PAGES 512UL
#define DENTRIES   2048

static struct waitq shrink_wait;
static u32 wanted;

/* Inodes that were looked at go to the end, so that the next call goes on behind them. */
static u64 shrink_sb(struct superblock *sb, u64 want)
{
    u64 freed = 0;
    struct list_head *stop = NULL;
    spin_lock(&sb->inodes_lock);
    while (!list_empty(&sb->inodes) && freed < want) {
        struct inode *i = list_first_entry(&sb->inodes, struct inode, sb_link);
        if (&i->sb_link == stop)
            break;
        if (!stop)
            stop = &i->sb_link;
        list_move_tail(&i->sb_link, &sb->inodes);
        if (READ_ONCE(i->mapping.nrpages) && !(i->mapping.flags & (AS_SHMEM | AS_UNEVICTABLE)))
            freed += cache_invalidate(&i->mapping, 0, ~0UL);
    }
    spin_unlock(&sb->inodes_lock);
    return freed;
}

static u64 fs_reclaim(unsigned node, gfp_t gfp, unsigned order)
{
    u64 freed = 0, want = WANT_PAGES << order;
    struct superblock *sb;
    if (mutex_trylock(&sb_list_lock)) {
        list_for_each_entry (sb, &sb_list, link) {
            if (freed < want)
                freed += shrink_sb(sb, want - freed);
        }
        mutex_unlock(&sb_list_lock);
    }
    pcp_drain_local(); /* to where the allocator looks next */
    WRITE_ONCE(wanted, 1);
    waitq_wake_all(&shrink_wait);
    return freed;
}

static const struct reclaim_ops fs_reclaim_ops = {.reclaim = fs_reclaim, .out_of_memory = out_of_memory};

static int shrinkd(void *arg)
{
    for (;;) {
        waitq_wait(&shrink_wait, __atomic_exchange_n(&wanted, 0, __ATOMIC_ACQ_REL));
        dcache_shrink(DENTRIES);
    }
    return 0;
}

void shrink_boot(void)
{
    waitq_init(&shrink_wait);
    if (!kthread_start(shrinkd, NULL, "kshrinkd"))
        panic("no memory for kshrinkd");
    phys_reclaim_ops = &fs_reclaim_ops;
}
