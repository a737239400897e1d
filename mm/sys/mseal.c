/* SPDX-License-Identifier: MIT */
/*
 * mseal: the areas of a range can no longer be unmapped, moved, resized, replaced or given another protection, until the
 * process ends or executes another program. There is no way back.
 *
 * Who refuses: vma_unmap, vma_map and vma_protect, mremap for its source, madvise where bytes would be lost.
 * Locks: mmap_lock for writing.
 */
#include <lib/errno.h>
#include <mm/sys.h>
#include <mm/vma.h>

static bool has_hole(struct mm *mm, u64 start, u64 end)
{
    struct vma *v = vma_find(mm, start);
    while (v && vma_start(v) <= start) {
        start = vma_end(v);
        if (start >= end)
            return false;
        v = vma_next(v);
    }
    return true;
}

s64 sys_mm_mseal(struct mm *mm, u64 addr, u64 len, u64 flags)
{
    u64 size = page_align_up(len), end = addr + size;
    if (flags || addr & ~PAGE_MASK || (len && !size) || end < addr)
        return -EINVAL;
    if (!size)
        return 0;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    err = has_hole(mm, addr, end) ? -ENOMEM : vma_set_flags(mm, addr, end, VM_SEALED, 0);
    mmap_write_unlock(mm);
    return err;
}
