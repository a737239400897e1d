/* SPDX-License-Identifier: MIT */
/*
 * Life of an address space: made, shared by threads, taken down.
 *
 *   mm_alloc ── users=1,count=1 ── mm_get/mm_put ── users 0: every area unmapped, one count dropped
 *                                  mm_grab/mm_drop ── count 0: root table and struct freed
 *
 * Invariants: M1, M2 of mm/mm.h.
 * Locks: mm_list_lock guards mm_list; nothing else is needed to come and go.
 */
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/slab.h>
#include <mm/uffd.h>
#include <mm/vma.h>
#include <port/log.h>
#include "vma_internal.h"

struct list_head mm_list = LIST_HEAD_INIT(mm_list);
spinlock_t mm_list_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
const struct mm_home_ops *mm_home_ops;
static struct slab_cache *mm_cache;

int mm_cache_boot(void)
{
    mm_cache = slab_cache_create("mm_struct", MM_RSS_OFFSET + cpu_nr_possible() * sizeof(struct rss_shard), 64, 0);
    return mm_cache ? 0 : -ENOMEM;
}

struct mm *mm_alloc(void)
{
    struct mm *mm = slab_alloc(mm_cache, GFP_KERNEL | GFP_ZERO);
    if (!mm)
        return NULL;
    rt_init(&mm->vmas);
    rwsem_init(&mm->mmap_lock, RANK_MMAP);
    waitq_init(&mm->vma_waitq);
    mm->lock_seq = 1;
    mm->users = 1;
    mm->count = 1;
    mm->task_size = (pt_levels() == 5 ? 1UL << 56 : 1UL << 47) - PAGE_SIZE;
    mm->map_limit = (1UL << 47) - PAGE_SIZE;
    mm->mmap_base = mm->map_limit;
    mm->legacy_base = page_align_up(mm->map_limit / 3);
    mm->flags = MMF_TOPDOWN;
    mm->pkeys = pt_has_pkeys() ? 1 : 0;
    mm->exec_pkey = -1;
    mm->rlimit = (struct mm_rlimits){U64_MAX, U64_MAX, 8UL << 20, 8UL << 20, U64_MAX};
    if (pt_init_root(mm)) {
        slab_free(mm_cache, mm);
        return NULL;
    }
    spin_lock(&mm_list_lock);
    list_add_tail(&mm->list, &mm_list);
    spin_unlock(&mm_list_lock);
    return mm;
}

void mm_get(struct mm *mm)
{
    __atomic_fetch_add(&mm->users, 1, __ATOMIC_RELAXED);
}

bool mm_try_get(struct mm *mm)
{
    s32 u = READ_ONCE(mm->users);
    while (u > 0)
        if (__atomic_compare_exchange_n(&mm->users, &u, u + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

void mm_put(struct mm *mm)
{
    if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL))
        return;
    vma_unmap_all(mm);
    __atomic_fetch_or(&mm->flags, MMF_OOM_SKIP, __ATOMIC_RELEASE);
    if (mm->exe_file)
        mm_home_ops->exe_put(mm->exe_file);
    mm_drop(mm);
}

void mm_grab(struct mm *mm)
{
    __atomic_fetch_add(&mm->count, 1, __ATOMIC_RELAXED);
}

void mm_drop(struct mm *mm)
{
    if (__atomic_sub_fetch(&mm->count, 1, __ATOMIC_ACQ_REL))
        return;
    ASSERT(mm->vmas.nr == 0);
    spin_lock(&mm_list_lock);
    list_del(&mm->list);
    spin_unlock(&mm_list_lock);
    pt_free_root(mm);
    slab_free(mm_cache, mm);
}

void mmap_write_lock(struct mm *mm)
{
    down_write(&mm->mmap_lock);
}

int mmap_write_lock_killable(struct mm *mm)
{
    return down_write_killable(&mm->mmap_lock);
}

void mmap_write_unlock(struct mm *mm)
{
    struct uffd_event *events = mm->uffd_events;
    if (unlikely(events))
        mm->uffd_events = NULL;
    store_release(&mm->lock_seq, mm->lock_seq + 1);
    up_write(&mm->mmap_lock);
    if (unlikely(events))
        uffd_deliver(events);
}

void mmap_read_lock(struct mm *mm)
{
    down_read(&mm->mmap_lock);
}

bool mmap_read_trylock(struct mm *mm)
{
    return down_read_trylock(&mm->mmap_lock);
}

void mmap_read_unlock(struct mm *mm)
{
    up_read(&mm->mmap_lock);
}

u64 rss_sum(const struct mm *mm, enum rss_kind kind)
{
    s64 sum = 0;
    for (unsigned i = 0; i < cpu_nr_possible(); i++)
        sum += READ_ONCE(mm_rss(mm, i)->v[kind]);
    return sum > 0 ? (u64)sum : 0;
}

u64 rss_total(const struct mm *mm)
{
    return rss_sum(mm, RSS_FILE) + rss_sum(mm, RSS_ANON) + rss_sum(mm, RSS_SHMEM);
}

void mm_update_hiwater(struct mm *mm)
{
    u64 now = rss_total(mm);
    if (now > READ_ONCE(mm->hiwater_rss))
        WRITE_ONCE(mm->hiwater_rss, now);
}
