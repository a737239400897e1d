/* SPDX-License-Identifier: MIT */
/*
 * UFFDIO_MOVE: anonymous pages change their address inside one address space, without being copied.
 *
 * Locks: mmap_lock for reading, changing_lock, then both tables (mm/pt/move.c).
 */
#include <mm/fault.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <port/sched.h>
#include "uffd_internal.h"

#define UNMOVABLE (VM_PFNMAP | VM_IO | VM_HUGETLB | VM_MIXEDMAP)

static int check_areas(const struct uffd *u, const struct vma *dst, const struct vma *src)
{
    if ((src->flags ^ dst->flags) & (VM_ACCESS | VM_LOCKED) || src->prot != dst->prot)
        return -EINVAL;
    if (!(src->flags & VM_WRITE) || (src->flags | dst->flags) & (UNMOVABLE | VM_SHARED))
        return -EINVAL;
    return dst->uffd == u && vma_is_anon(src) && vma_is_anon(dst) ? 0 : -EINVAL;
}

static int find_areas(const struct uffd *u, u64 to, u64 from, u64 len, struct vma **dst, struct vma **src)
{
    *dst = vma_find(u->mm, to);
    if (!*dst || vma_start(*dst) > to)
        return -ENOENT;
    if (vma_is_anon(*dst) && !load_acquire(&(*dst)->anon_vma) && anon_vma_prepare(*dst))
        return -ENOMEM;
    *src = vma_find(u->mm, from);
    return *src && vma_start(*src) <= from ? 0 : -ENOENT;
}

static s64 move_locked(struct uffd *u, u64 to, u64 from, u64 len, bool holes)
{
    struct vma *dst, *src;
    int err = find_areas(u, to, from, len, &dst, &src);
    if (err)
        return err;
    err = uffd_fill_lock(u);
    if (err)
        return err;
    err = len > vma_end(src) - from || len > vma_end(dst) - to ? -EINVAL : check_areas(u, dst, src);
    u64 done = 0;
    while (!err && done < len) {
        err = pt_move_page(dst, to + done, src, from + done, holes);
        if (err == -EAGAIN) { /* in swap */
            u32 r = fault_swap_in(src, from + done);
            err = r & VM_FAULT_OOM ? -ENOMEM : r & VM_FAULT_ERROR ? -EFAULT : sched_fatal_signal() ? -EINTR : 0;
            if (!err)
                continue;
        }
        if (sched_fatal_signal() && !err)
            err = -EINTR;
        if (!err)
            done += PAGE_SIZE;
        sched_cond();
    }
    uffd_fill_unlock(u);
    return done ? (s64)done : err;
}

s64 uffd_move(struct uffd *u, u64 dst, u64 src, u64 len, bool holes)
{
    struct mm *mm = u->mm;
    if (!mm_try_get(mm))
        return -ESRCH;
    mmap_read_lock(mm);
    s64 r = move_locked(u, dst, src, len, holes);
    mmap_read_unlock(mm);
    mm_put(mm);
    return r;
}
