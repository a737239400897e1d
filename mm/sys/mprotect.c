/* SPDX-License-Identifier: MIT */
/* mprotect (key -1) and pkey_mprotect. Takes mmap_lock for writing. */
#include <lib/errno.h>
#include <mm/fault.h>
#include <mm/pkey.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <uapi/mman.h>

#define PROT_ALL (UAPI_PROT_READ | UAPI_PROT_WRITE | UAPI_PROT_EXEC | UAPI_PROT_SEM)

/* PROT_GROWSDOWN widens the range down to the start of a stack. 0 or -errno. */
static int widen(struct vma *vma, u64 grows, u64 *addr, u64 end)
{
    if (!vma || vma_start(vma) >= end)
        return -ENOMEM;
    if (!(grows & UAPI_PROT_GROWSDOWN)) {
        if (vma_start(vma) > *addr)
            return -ENOMEM;
        return grows ? -EINVAL : 0; /* nothing grows up on x86 */
    }
    if (!(vma->flags & VM_GROWSDOWN))
        return -EINVAL;
    *addr = vma_start(vma);
    return 0;
}

/* Private memory that is locked and may be written now has its own pages at once. Takes mmap_lock for reading. */
static void populate_locked(struct mm *mm, u64 pos, u64 end)
{
    while (pos < end) {
        mmap_read_lock(mm);
        struct vma *vma = vma_find(mm, pos);
        u64 from = end, stop = end;
        if (vma && vma_start(vma) < end) {
            stop = min(end, vma_end(vma));
            if ((vma->flags & (VM_LOCKED | VM_WRITE | VM_SHARED)) == (VM_LOCKED | VM_WRITE) && !vma->uffd)
                from = max(pos, vma_start(vma));
        }
        mmap_read_unlock(mm);
        if (from < stop)
            mm_populate(mm, from, stop - from, true);
        pos = stop;
    }
}

s64 sys_mm_mprotect(struct mm *mm, u64 addr, u64 len, u64 prot, int pkey)
{
    u64 grows = prot & (UAPI_PROT_GROWSDOWN | UAPI_PROT_GROWSUP);
    prot &= ~(u64)(UAPI_PROT_GROWSDOWN | UAPI_PROT_GROWSUP);
    if (grows == (UAPI_PROT_GROWSDOWN | UAPI_PROT_GROWSUP) || addr & ~PAGE_MASK)
        return -EINVAL;
    if (!len)
        return 0;
    u64 end = addr + page_align_up(len);
    if (end <= addr)
        return -ENOMEM;
    if (prot & ~(u64)PROT_ALL)
        return -EINVAL;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    if (pkey != -1 && !pkey_in_use(mm, pkey))
        err = -EINVAL;
    if (!err)
        err = widen(vma_find(mm, addr), grows, &addr, end);
    struct vma_fill fill = {0};
    if (!err)
        err = vma_protect(mm, addr, end, prot, pkey, &fill);
    mmap_write_unlock(mm);
    for (unsigned i = 0; unlikely(i < fill.n); i++)
        populate_locked(mm, fill.part[i].from, fill.part[i].to);
    return err;
}
