/* SPDX-License-Identifier: MIT */
/*
 * Life of a userfaultfd context.
 *
 *   uffd_alloc ─ refs 1, the descriptor's ─ uffd_get/uffd_put: sleepers, posted events ─ uffd_release ─ last put: freed
 *
 * At the end of the descriptor `released` is set first, then mmap_lock is taken for writing: a fault that still finds the context
 * in its area sees `released` and does not sleep, and tries again until the area is free of it.
 *
 * Locks: uffd_release takes mmap_lock for writing. Invariants: mm/uffd.h.
 */
#include <mm/slab.h>
#include "uffd_internal.h"

struct uffd *uffd_alloc(struct mm *mm, u32 flags)
{
    struct uffd *u = kzalloc(sizeof(*u), GFP_KERNEL);
    if (!u)
        return NULL;
    mm_grab(mm);
    u->mm = mm;
    u->refs = 1;
    u->flags = flags;
    rwsem_init(&u->changing_lock, RANK_UFFD);
    spin_init(&u->lock, RANK_UFFD);
    list_init(&u->pending);
    list_init(&u->read);
    list_init(&u->events);
    waitq_init(&u->readers);
    return u;
}

void uffd_put(struct uffd *u)
{
    if (__atomic_sub_fetch(&u->refs, 1, __ATOMIC_ACQ_REL))
        return;
    ASSERT(list_empty(&u->pending) && list_empty(&u->read) && list_empty(&u->events)); /* each waiter holds one */
    mm_drop(u->mm);
    kfree(u);
}

static void leave_areas(struct uffd *u)
{
    struct mm *mm = u->mm;
    mmap_write_lock(mm);
    for (struct vma *v = vma_first(mm); v; v = vma_next(v))
        if (v->uffd == u)
            v = uffd_free_area(v);
    mmap_write_unlock(mm);
}

void uffd_release(struct uffd *u)
{
    __atomic_store_n(&u->released, true, __ATOMIC_SEQ_CST);
    if (mm_try_get(u->mm)) {
        leave_areas(u);
        mm_put(u->mm);
    }
    uffd_wake_all(u);
    uffd_put(u);
}
