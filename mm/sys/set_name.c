/* SPDX-License-Identifier: MIT */
/* prctl(PR_SET_VMA_ANON_NAME): a name for anonymous areas, shown in /proc/PID/maps. mmap_lock for writing. */
#include <lib/errno.h>
#include <mm/sys.h>
#include <mm/vma.h>

s64 sys_mm_set_name(struct mm *mm, u64 addr, u64 len, const char *name)
{
    u64 size = page_align_up(len), end = addr + size;
    if (addr & ~PAGE_MASK || (len && !size) || end < addr)
        return -EINVAL;
    if (!size)
        return 0;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    err = vma_set_name(mm, addr, end, name);
    mmap_write_unlock(mm);
    return err;
}
