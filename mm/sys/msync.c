/* SPDX-License-Identifier: MIT */
/* msync. mmap_lock for reading. */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <uapi/mman.h>

static int sync_area(struct vma *vma, u64 pos, u64 stop, int flags)
{
    if (flags & UAPI_MS_INVALIDATE && vma->flags & VM_LOCKED)
        return -EBUSY;
    if (!(flags & UAPI_MS_SYNC) || !vma->mapping || !(vma->flags & VM_SHARED))
        return 0;
    if (vma_is_secret(vma))
        return -EINVAL; /* there is nowhere to write it to */
    u64 first = vma_index(vma, pos) << PAGE_SHIFT;
    u64 last = first + (stop - pos) - 1;
    return vma->ops && vma->ops->sync ? vma->ops->sync(vma, first, last) : cache_sync(vma->mapping, first, last);
}

s64 sys_mm_msync(struct mm *mm, u64 addr, u64 len, int flags)
{
    if (flags & ~(UAPI_MS_ASYNC | UAPI_MS_INVALIDATE | UAPI_MS_SYNC) || addr & ~PAGE_MASK ||
        (flags & UAPI_MS_ASYNC && flags & UAPI_MS_SYNC))
        return -EINVAL;
    u64 end = addr + page_align_up(len);
    if (end < addr)
        return -ENOMEM;
    int hole = 0, err = 0;
    mmap_read_lock(mm);
    for (u64 pos = addr; pos < end && !err;) {
        struct vma *vma = vma_find(mm, pos);
        if (!vma || vma_start(vma) >= end) {
            hole = -ENOMEM;
            break;
        }
        if (vma_start(vma) > pos) {
            hole = -ENOMEM;
            if (flags == UAPI_MS_ASYNC)
                break;
            pos = vma_start(vma);
        }
        u64 stop = min(end, vma_end(vma));
        err = sync_area(vma, pos, stop, flags);
        pos = stop;
    }
    mmap_read_unlock(mm);
    return err ? err : hole;
}
