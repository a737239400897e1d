/* SPDX-License-Identifier: MIT */
/*
 * remap_file_pages: other pages of the same file at addresses that a shared mapping holds. As on Linux it makes a new area
 * there, as mmap(MAP_FIXED) would.
 *
 * Locks: mmap_lock for writing; populating comes after it is released.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/pkey.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <port/task.h>
#include <uapi/mman.h>

#define KEPT                                                                                       \
    (VM_ACCESS | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_SHARED | VM_MAYSHARE | VM_LOCKED)
#define MAX_INDEX (1UL << 32) /* P4 of mm/page.h */

/* The shared area at start, if [start,end) is areas without a hole over its file with its flags; else NULL. */
static struct vma *area_of(struct mm *mm, u64 start, u64 end)
{
    struct vma *vma = vma_find(mm, start), *v = vma;
    if (!vma || vma_start(vma) > start || !(vma->flags & VM_SHARED) || !vma->mapping)
        return NULL;
    while (end > vma_end(v)) {
        struct vma *next = vma_next(v);
        if (!next || vma_start(next) != vma_end(v) || next->mapping != vma->mapping || next->file != vma->file ||
            next->flags != vma->flags)
            return NULL;
        v = next;
    }
    return vma;
}

/* As for a new mapping that asks for the rights of the old one. */
static u64 new_flags(struct mm *mm, const struct vma *vma)
{
    u64 flags = (vma->flags & KEPT) | mm->def_flags;
    if (flags & VM_READ && flags & VM_MAYEXEC && task_read_implies_exec())
        flags |= VM_EXEC;
    if (unlikely((flags & VM_ACCESS) == VM_EXEC))
        flags |= (u64)pkey_exec_only(mm) << VM_PKEY_SHIFT;
    return flags;
}

/* mmap_lock held for writing. 0 or -errno; *locked: the area is to be filled at once. */
static s64 remap_locked(struct mm *mm, u64 start, u64 len, u64 pgoff, bool *locked)
{
    struct vma *vma = area_of(mm, start, start + len);
    u64 pages = len >> PAGE_SHIFT;
    if (!vma)
        return -EINVAL;
    struct vma_request req = {
        .addr = start,
        .len = len,
        .flags = new_flags(mm, vma),
        .pgoff = pgoff,
        .mapping = vma->mapping,
        .ops = vma->ops,
        .file = vma->file,
        .priv = vma->priv,
        .fixed = true,
    };
    if (vma->flags & VM_LOCKED && !task_limit(mm, TASK_LIMIT_MEMLOCK) && !task_capable(TASK_CAP_IPC_LOCK))
        return -EPERM;
    if (!vma_may_lock(mm, req.flags, pages))
        return -EAGAIN;
    if (pgoff > MAX_INDEX || pages > MAX_INDEX - pgoff)
        return -EOVERFLOW;
    if (unlikely(vma->flags & VM_SHARED && vma->mapping && READ_ONCE(vma->mapping->flags) & AS_SEALED)) {
        if (req.flags & VM_WRITE)
            return -EPERM;
        req.flags &= ~VM_MAYWRITE;
    }
    struct vma *hold = vma_dup(vma, mm, start, start + PAGE_SIZE); /* the file outlives the old areas */
    if (!hold)
        return -ENOMEM;
    s64 r = vma_map(mm, &req);
    vma_discard(hold);
    if (r >= 0 && req.flags & VM_LOCKED)
        mm->locked_vm += pages;
    *locked = (req.flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
    return r < 0 ? r : 0;
}

s64 sys_mm_remap_file_pages(struct mm *mm, u64 start, u64 len, u64 prot, u64 pgoff, u64 flags)
{
    start &= PAGE_MASK;
    len &= PAGE_MASK;
    if (prot || start + len <= start || pgoff + (len >> PAGE_SHIFT) < pgoff)
        return -EINVAL;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    bool locked = false;
    s64 r = remap_locked(mm, start, len, pgoff, &locked);
    mmap_write_unlock(mm);
    if (!r && (locked || !(flags & UAPI_MAP_NONBLOCK)))
        mm_populate(mm, start, len, true);
    return r;
}
