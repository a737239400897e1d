/* SPDX-License-Identifier: MIT */
/*
 * Areas enter and leave a context, and their pages are write-protected.
 *
 *   register    every area of the range is looked at first; then each is cut to size, gets flags and context, is merged again
 *   unregister  sleepers of the range wake, protections are taken off, flags and context go
 *
 * Holes are passed over. Entries are changed by mm/pt/wp.c.
 *
 * Locks: mmap_lock for writing; write-protection for reading, with changing_lock.
 */
#include <mm/pt.h>
#include "uffd_internal.h"

bool uffd_wp_uses_markers(const struct vma *vma)
{
    return !vma_is_anon(vma) || uffd_has(vma->uffd, UAPI_UFFD_FEATURE_WP_UNPOPULATED);
}

/* Can faults of this area be given to a program in these modes? */
static bool area_fits(const struct uffd *u, const struct vma *vma, u64 modes)
{
    bool shmem = vma_is_shmem(vma);
    if (modes & VM_UFFD_MINOR && !shmem)
        return false;
    if (uffd_has(u, UAPI_UFFD_FEATURE_WP_ASYNC) && modes == VM_UFFD_WP)
        return true;
    return vma_is_anon(vma) || shmem;
}

static int check_register(const struct uffd *u, struct vma *vma, u64 end, u64 modes)
{
    for (; vma && vma_start(vma) < end; vma = vma_next(vma)) {
        if (!area_fits(u, vma, modes))
            return -EINVAL;
        if (!(vma->flags & VM_MAYWRITE))
            return -EPERM; /* what a program may not write it may not fill */
        if (vma->uffd && vma->uffd != u)
            return -EBUSY;
    }
    return 0;
}

int uffd_register(struct uffd *u, u64 start, u64 len, u64 modes)
{
    struct mm *mm = u->mm;
    u64 end = start + len;
    if (!mm_try_get(mm))
        return -ENOMEM;
    mmap_write_lock(mm);
    struct vma *vma = vma_find(mm, start);
    int err = vma && vma_start(vma) < end ? check_register(u, vma, end, modes) : -EINVAL;
    if (!err)
        mm->has_uffd = true;
    for (u64 pos = start; !err && pos < end && vma && vma_start(vma) < end; vma = vma_find(mm, pos)) {
        u64 from = max(pos, vma_start(vma)), stop = min(end, vma_end(vma));
        if (vma->uffd != u || (vma->flags & modes) != modes)
            err = vma_set_uffd(mm, from, stop, u, modes);
        pos = stop;
    }
    mmap_write_unlock(mm);
    mm_put(mm);
    return err;
}

struct vma *uffd_free_area(struct vma *vma)
{
    uffd_forget_area(vma);
    return vma_merge(vma);
}

static int check_unregister(const struct uffd *u, struct vma *vma, u64 end)
{
    for (; vma && vma_start(vma) < end; vma = vma_next(vma))
        if (!area_fits(u, vma, vma->flags & VM_UFFD))
            return -EINVAL;
    return 0;
}

int uffd_unregister(struct uffd *u, u64 start, u64 len)
{
    struct mm *mm = u->mm;
    u64 end = start + len;
    if (!mm_try_get(mm))
        return -ENOMEM;
    mmap_write_lock(mm);
    struct vma *vma = vma_find(mm, start);
    int err = vma && vma_start(vma) < end ? check_unregister(u, vma, end) : -EINVAL;
    for (u64 pos = start; !err && pos < end && vma && vma_start(vma) < end; vma = vma_find(mm, pos)) {
        u64 from = max(pos, vma_start(vma)), stop = min(end, vma_end(vma));
        if (vma->uffd) {
            if (vma->flags & VM_UFFD_MISSING)
                uffd_wake(vma->uffd, from, stop - from);
            err = vma_set_uffd(mm, from, stop, NULL, 0);
        }
        pos = stop;
    }
    mmap_write_unlock(mm);
    mm_put(mm);
    return err;
}

int uffd_fill_lock(struct uffd *u)
{
    down_read(&u->changing_lock);
    if (!uffd_changing(u))
        return 0;
    up_read(&u->changing_lock);
    return -EAGAIN;
}

static int protect_area(struct vma *vma, u64 start, u64 end, bool protect)
{
    if (protect)
        return pt_wp_protect(vma, start, end, uffd_wp_uses_markers(vma));
    pt_wp_resolve(vma, start, end);
    return 0;
}

int uffd_write_protect(struct uffd *u, u64 start, u64 len, bool protect)
{
    struct mm *mm = u->mm;
    u64 end = start + len;
    if (!mm_try_get(mm))
        return -ESRCH;
    mmap_read_lock(mm);
    int err = uffd_fill_lock(u);
    if (!err) {
        err = -ENOENT;
        for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end; v = vma_next(v)) {
            err = v->flags & VM_UFFD_WP ? protect_area(v, max(start, vma_start(v)), min(end, vma_end(v)), protect)
                                        : -ENOENT;
            if (err)
                break;
        }
        uffd_fill_unlock(u);
    }
    mmap_read_unlock(mm);
    mm_put(mm);
    return err;
}
