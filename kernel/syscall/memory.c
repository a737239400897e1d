/* SPDX-License-Identifier: MIT */
/* The system calls of memory: files are looked up here, the rest is mm/sys. */
#include <kernel/file.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <mm/fault.h>
#include <mm/mm.h>
#include <mm/sys.h>
#include <uapi/mman.h>

static struct mm *mm(void)
{
    return current_task()->mm;
}

SYSCALL(mmap)
{
    u64 flags = a3;
    if (a5 & (PAGE_SIZE - 1))
        return -EINVAL;
    if (flags & UAPI_MAP_ANONYMOUS)
        return sys_mm_mmap(mm(), a0, a1, a2, flags, NULL, a5);
    struct file *f = fd_get((int)a4);
    if (!f)
        return -EBADF;
    struct map_file mf = {0};
    s64 ret = a1 == 0 ? -EINVAL : f->ops->mmap ? f->ops->mmap(f, &mf, a1, a2, flags, a5) : -ENODEV;
    if (!ret)
        ret = sys_mm_mmap(mm(), a0, a1, a2, flags, &mf, a5);
    file_put(f);
    return ret;
}

SYSCALL(munmap)
{
    return sys_mm_munmap(mm(), a0, a1);
}
SYSCALL(mprotect)
{
    return sys_mm_mprotect(mm(), a0, a1, a2, -1);
}
SYSCALL(pkey_mprotect)
{
    return sys_mm_mprotect(mm(), a0, a1, a2, (int)a3);
}
SYSCALL(pkey_alloc)
{
    return sys_mm_pkey_alloc(mm(), a0, a1);
}
SYSCALL(pkey_free)
{
    return sys_mm_pkey_free(mm(), (int)a0);
}
SYSCALL(mremap)
{
    return sys_mm_mremap(mm(), a0, a1, a2, a3, a4);
}
SYSCALL(brk)
{
    return sys_mm_brk(mm(), a0);
}
SYSCALL(madvise)
{
    return sys_mm_madvise(mm(), a0, a1, (int)a2);
}
SYSCALL(mseal)
{
    return sys_mm_mseal(mm(), a0, a1, a2);
}
SYSCALL(remap_file_pages)
{
    return sys_mm_remap_file_pages(mm(), a0, a1, a2, a3, a4);
}
SYSCALL(msync)
{
    return sys_mm_msync(mm(), a0, a1, (int)a2);
}
SYSCALL(mincore)
{
    return sys_mm_mincore(mm(), a0, a1, a2);
}
SYSCALL(mlock)
{
    return sys_mm_mlock(mm(), a0, a1, 0);
}
SYSCALL(mlock2)
{
    return (u32)a2 & ~(u32)UAPI_MLOCK_ONFAULT ? -EINVAL : sys_mm_mlock(mm(), a0, a1, (int)a2);
}
SYSCALL(munlock)
{
    return sys_mm_munlock(mm(), a0, a1);
}
SYSCALL(mlockall)
{
    return sys_mm_mlockall(mm(), (int)a0);
}
SYSCALL(munlockall)
{
    return sys_mm_munlockall(mm());
}
