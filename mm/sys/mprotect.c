/* SPDX-License-Identifier: MIT */
/* mprotect (key -1) and pkey_mprotect. Takes mmap_lock for writing. */
#include <lib/errno.h>
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
    if (!err)
        err = vma_protect(mm, addr, end, prot, pkey);
    mmap_write_unlock(mm);
    return err;
}
