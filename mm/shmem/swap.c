/* SPDX-License-Identifier: MIT */
/*
 * Shared memory in swap: the tree of the mapping holds the swap entry, as a value, where the page was.
 *
 *   out   page, unmapped, in the mapping and in the swap cache ── the entry takes its place ── swap_write
 *   in    entry ── swap cache or device ── the page takes its place, dirty; the slot is free
 *
 * Limits of the file system count a page that is out as one that is in: only truncation gives it back (ops->release).
 *
 * Invariants
 *  1. A mapping with nrswapped > 0 is on swap_mappings. It leaves when swapoff finds that it has none, or when it ends.
 *  2. A mapping does not end while swap_busy: swapoff is bringing its pages back.
 *
 * Locks: list_lock for the list and swap_busy; a page comes in under invalidate_lock, for reading.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/shmem.h>
#include <mm/swap.h>
#include <port/log.h>

static LIST_HEAD(swap_mappings); /* address_space.swap_link */
static spinlock_t list_lock = SPINLOCK_INIT(RANK_SWAP);
static struct waitq busy_wait;

void shmem_swap_boot(void)
{
    waitq_init(&busy_wait);
}

int shmem_swap_out(struct page *page)
{
    struct address_space *m = page_mapping(page);
    int err = cache_swap_out(m, page);
    if (err)
        return err;
    if (list_empty(&m->swap_link)) {
        spin_lock(&list_lock);
        if (list_empty(&m->swap_link))
            list_add_tail(&m->swap_link, &swap_mappings);
        spin_unlock(&list_lock);
    }
    return 0;
}

/* page, locked, is what e names. */
static int bring_in(struct address_space *m, u64 index, swp_entry_t e, struct page *page)
{
    if (!page_test(page, PG_uptodate) && swap_reread(page))
        return page_is_swap(page, e) ? -EIO : 0;
    if (!page_is_swap(page, e))
        return 0;
    page_wait_writeback(page);
    if (cache_swap_in(m, index, e, page)) {
        bool left = swap_remove(page, 0);
        ASSERT(left); /* a tree's slot has no other entry */
    }
    return 0;
}

int shmem_swap_in(struct address_space *m, u64 index, swp_entry_t e, bool *major)
{
    struct page *page = swap_in(e, major);
    int err = 0;
    if (!page)
        return 0;
    if (IS_ERR(page))
        return (int)PTR_ERR(page);
    down_read(&m->invalidate_lock);
    page_lock(page);
    if (page_is_swap(page, e))
        err = bring_in(m, index, e, page);
    page_unlock(page);
    up_read(&m->invalidate_lock);
    page_put(page);
    return err;
}

/* ---- swapoff ---- */

/* All entries of the area that m holds. */
static int unuse_mapping(struct address_space *m, unsigned type)
{
    for (u64 index = 0;; index++) {
        rcu_read_lock();
        void *entry = xa_find(&m->pages, &index, U64_MAX);
        rcu_read_unlock();
        if (!entry)
            return 0;
        bool major;
        swp_entry_t e = {xa_is_value(entry) ? xa_to_value(entry) : 0};
        int err = e.v && swp_type(e) == type ? shmem_swap_in(m, index, e, &major) : 0;
        if (err)
            return err;
        if (sched_fatal_signal())
            return -EINTR;
        sched_cond();
        if (index == U64_MAX)
            return 0;
    }
}

/* The mapping behind prev on the list, busy; prev is not any more. */
static struct address_space *next_mapping(struct address_space *prev)
{
    struct address_space *m = NULL;
    spin_lock(&list_lock);
    struct list_head *pos = prev ? prev->swap_link.next : swap_mappings.next;
    if (prev) {
        prev->swap_busy--;
        if (!READ_ONCE(prev->nrswapped))
            list_del_init(&prev->swap_link);
    }
    if (pos != &swap_mappings) {
        m = list_entry(pos, struct address_space, swap_link);
        m->swap_busy++;
    }
    spin_unlock(&list_lock);
    if (prev)
        waitq_wake_all(&busy_wait);
    return m;
}

int shmem_unuse(unsigned type)
{
    int err = 0;
    for (struct address_space *m = next_mapping(NULL); m; m = next_mapping(m))
        if (!err)
            err = unuse_mapping(m, type);
    return err;
}

static bool leave_list(struct address_space *m)
{
    spin_lock(&list_lock);
    bool idle = !m->swap_busy;
    if (idle)
        list_del_init(&m->swap_link);
    spin_unlock(&list_lock);
    return idle;
}

void shmem_swap_forget(struct address_space *m)
{
    if (!list_empty(&m->swap_link))
        waitq_wait(&busy_wait, leave_list(m));
}

void shmem_for_each_swap(void (*fn)(void *ctx, swp_entry_t e), void *ctx)
{
    struct address_space *m;
    list_for_each_entry (m, &swap_mappings, swap_link) {
        u64 index;
        void *entry;
        xa_for_each(&m->pages, index, entry)
            if (xa_is_value(entry))
                fn(ctx, (swp_entry_t){xa_to_value(entry)});
    }
}
