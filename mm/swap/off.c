/* SPDX-License-Identifier: MIT */
/*
 * swapoff: all that an area holds comes back.
 *
 *   shared memory   entries in trees       shmem_unuse
 *   each mm         entries in tables      as a read fault would; a shared table becomes the mm's own
 *   the rest        pages in the swap cache that no entry wants
 *
 * A page of a process that can't be read is given up: PTE_MARKER_POISON, as on Linux. It goes round until no slot is in use: entries wander (fork, mremap) while we look.
 *
 * Locks: mmap_lock of one address space at a time, for reading; the page lock.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/pt.h>
#include <mm/vma.h>
#include "swap_internal.h"

struct entry_search {
    unsigned type;
    u64 found; /* address, or U64_MAX */
};

static int is_ours(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct entry_search *s = ctx;
    if (level != 1 || !pte_swap(e) || swp_type(pte_to_swp(e)) != s->type)
        return 0;
    s->found = addr;
    return 1;
}

/* What was at addr can't be read: whoever looks there gets a SIGBUS, as if memory had failed. */
static void poison(struct vma *vma, u64 addr)
{
    pte_t *p = pt_alloc(vma->mm, addr);
    if (!p)
        return;
    struct page *table = pt_table_page(p);
    pt_lock(table);
    pte_t e = pte_load(p);
    if (pte_swap(e)) {
        pte_store(p, (pte_t){PTE_MARKER_POISON});
        pt_count(table, RSS_SWAP, -1);
        rss_add(vma->mm, RSS_SWAP, -1);
        swap_free(pte_to_swp(e));
    }
    pt_unlock(table);
}

static int unuse_vma(struct vma *vma, unsigned type)
{
    struct entry_search s = {.type = type};
    for (u64 addr = vma_start(vma); addr < vma_end(vma); addr = s.found + PAGE_SIZE) {
        s.found = U64_MAX;
        if (!pt_for_each(vma->mm, addr, vma_end(vma), is_ours, &s))
            return 0;
        u32 r = fault_swap_in(vma, s.found);
        if (r & VM_FAULT_OOM)
            return -ENOMEM;
        if (r & VM_FAULT_ERROR)
            poison(vma, s.found);
        if (sched_fatal_signal())
            return -EINTR;
        sched_cond();
    }
    return 0;
}

static int unuse_mm(struct mm *mm, unsigned type)
{
    int err = 0;
    mmap_read_lock(mm);
    for (struct vma *v = vma_first(mm); v && !err; v = vma_next(v))
        if (v->anon_vma)
            err = unuse_vma(v, type);
    mmap_read_unlock(mm);
    return err;
}

/* The first address space behind prev that is in use, with a reference. prev's is dropped. */
static struct mm *next_mm(struct mm *prev)
{
    struct mm *mm, *found = NULL;
    bool behind = !prev;
    spin_lock(&mm_list_lock);
    list_for_each_entry (mm, &mm_list, list) {
        if (behind && mm_try_get(mm)) {
            found = mm;
            break;
        }
        behind = behind || mm == prev;
    }
    spin_unlock(&mm_list_lock);
    if (prev)
        mm_put(prev);
    return found;
}

/* Cached pages that no entry wants any more leave; those in use by others are waited for. */
static void drop_cached(struct swap_area *a)
{
    for (u64 i = 1; i < a->max; i++) {
        u64 v = READ_ONCE(a->slots[i]);
        if (!(v & SLOT_CACHED))
            continue;
        struct page *page = swap_find(swp_entry(a->type, i));
        if (!page)
            continue;
        page_wait_writeback(page);
        page_lock(page);
        if (page_is_swap(page, swp_entry(a->type, i)) && !page_test(page, PG_writeback) && !page_mapping(page) && !swap_count(page))
            swap_remove(page, 0);
        page_unlock(page);
        page_put(page);
        sched_cond();
    }
}

static int bring_back(struct swap_area *a)
{
    int err = 0;
    while (!err && READ_ONCE(a->inuse)) {
        err = shmem_unuse(a->type);
        for (struct mm *mm = next_mm(NULL); mm; mm = next_mm(mm))
            if (!err)
                err = unuse_mm(mm, a->type);
        drop_cached(a);
        if (!err && sched_fatal_signal())
            err = -EINTR;
        if (!err && READ_ONCE(a->inuse))
            sched_yield_cpu();
    }
    return READ_ONCE(a->inuse) ? err : 0;
}

int swap_area_disable(struct swap_area *a)
{
    s32 prio = a->prio;
    int err = commit_charge(sched_mm(), a->pages); /* could memory hold it? */
    if (err)
        return err;
    commit_uncharge(a->pages);
    swap_area_leave(a);
    rcu_synchronize(); /* from here on no slot is given out */
    err = bring_back(a);
    if (err)
        swap_area_enable(a, prio);
    return err;
}
