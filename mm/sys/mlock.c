/* SPDX-License-Identifier: MIT */
/* mlock, mlock2, munlock, mlockall, munlockall. mmap_lock for writing; pages are faulted in after it is released. */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <port/task.h>
#include <uapi/mman.h>

#define LOCK_BITS (VM_LOCKED | VM_LOCKONFAULT)

/* Left as they are, without an error. */
static bool never_locked(const struct vma *vma)
{
    return vma->flags & (VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_MIXEDMAP | VM_DROPPABLE) || vma_is_secret(vma);
}

/* Pages of [start,end) that are locked already: they count once. */
static u64 locked_in(struct mm *mm, u64 start, u64 end)
{
    u64 n = 0;
    for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end; v = vma_next(v))
        if (v->flags & VM_LOCKED)
            n += (min(end, vma_end(v)) - max(start, vma_start(v))) >> PAGE_SHIFT;
    return n;
}

/* Stops at the first hole: what lies before stays changed. */
static int apply(struct mm *mm, u64 start, u64 end, u64 set, u64 clear)
{
    for (u64 pos = start; pos < end;) {
        struct vma *vma = vma_find(mm, pos);
        if (!vma || vma_start(vma) > pos)
            return -ENOMEM;
        u64 stop = min(end, vma_end(vma));
        if (!never_locked(vma)) {
            int err = vma_set_flags(mm, pos, stop, set, clear);
            if (err)
                return err;
        }
        pos = stop;
    }
    return 0;
}

/* Every area of the space. */
static void apply_all(struct mm *mm, u64 set, u64 clear)
{
    for (struct vma *v = vma_first(mm); v;) {
        u64 end = vma_end(v);
        if (!never_locked(v))
            vma_set_flags(mm, vma_start(v), end, set, clear);
        v = vma_find(mm, end);
    }
}

s64 sys_mm_mlock(struct mm *mm, u64 addr, u64 len, int flags)
{
    if (flags & ~UAPI_MLOCK_ONFAULT)
        return -EINVAL;
    if (!task_limit(mm, TASK_LIMIT_MEMLOCK) && !task_capable(TASK_CAP_IPC_LOCK))
        return -EPERM;
    u64 size = page_align_up(len + (addr & ~PAGE_MASK));
    addr &= PAGE_MASK;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    u64 pages = size >> PAGE_SHIFT, limit = task_limit(mm, TASK_LIMIT_MEMLOCK) >> PAGE_SHIFT;
    bool fits = task_limit(mm, TASK_LIMIT_MEMLOCK) == U64_MAX || mm->locked_vm + pages <= limit ||
                mm->locked_vm + pages - locked_in(mm, addr, addr + size) <= limit ||
                task_capable(TASK_CAP_IPC_LOCK);
    u64 set = flags & UAPI_MLOCK_ONFAULT ? LOCK_BITS : VM_LOCKED;
    if (!fits)
        err = -ENOMEM;
    else
        err = addr + size < addr ? -EINVAL : apply(mm, addr, addr + size, set, LOCK_BITS & ~set);
    mmap_write_unlock(mm);
    if (err)
        return err;
    /* With MLOCK_ONFAULT, too: areas that took it are passed over, those that are never locked are filled, as on Linux. */
    err = mm_populate(mm, addr, size, false);
    return err == -EFAULT ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

s64 sys_mm_munlock(struct mm *mm, u64 addr, u64 len)
{
    u64 size = page_align_up(len + (addr & ~PAGE_MASK));
    addr &= PAGE_MASK;
    if (addr + size < addr)
        return -EINVAL;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    err = apply(mm, addr, addr + size, 0, LOCK_BITS);
    mmap_write_unlock(mm);
    return err;
}

s64 sys_mm_mlockall(struct mm *mm, int flags)
{
    if (!flags || flags & ~(UAPI_MCL_CURRENT | UAPI_MCL_FUTURE | UAPI_MCL_ONFAULT) ||
        flags == UAPI_MCL_ONFAULT)
        return -EINVAL;
    bool free_of_limits = task_limit(mm, TASK_LIMIT_MEMLOCK) == U64_MAX || task_capable(TASK_CAP_IPC_LOCK);
    if (!task_limit(mm, TASK_LIMIT_MEMLOCK) && !free_of_limits)
        return -EPERM;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    u64 set = flags & UAPI_MCL_ONFAULT ? LOCK_BITS : VM_LOCKED;
    bool current = flags & UAPI_MCL_CURRENT;
    if (current && !free_of_limits && mm->total_vm > task_limit(mm, TASK_LIMIT_MEMLOCK) >> PAGE_SHIFT) {
        err = -ENOMEM;
    } else {
        mm->def_flags = (mm->def_flags & ~LOCK_BITS) | (flags & UAPI_MCL_FUTURE ? set : 0);
        if (current)
            apply_all(mm, set, LOCK_BITS & ~set);
    }
    mmap_write_unlock(mm);
    if (!err && current) /* with MCL_ONFAULT: what was not locked is filled all the same, as on Linux */
        mm_populate(mm, 0, mm->task_size, true);
    return err;
}

s64 sys_mm_munlockall(struct mm *mm)
{
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    mm->def_flags &= ~LOCK_BITS;
    apply_all(mm, 0, LOCK_BITS);
    mmap_write_unlock(mm);
    return 0;
}
