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
#include <mm/sys.h>
#include <mm/vma.h>
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

/* mmap_lock held for writing. 0 or -errno. */
static s64 remap_locked(struct mm *mm, u64 start, u64 len, u64 pgoff)
{
    struct vma *vma = area_of(mm, start, start + len);
    u64 pages = len >> PAGE_SHIFT;
    if (!vma)
        return -EINVAL;
    struct vma_request req = {
        .addr = start,
        .len = len,
        .flags = (vma->flags & KEPT) | mm->def_flags,
        .pgoff = pgoff,
        .mapping = vma->mapping,
        .ops = vma->ops,
        .file = vma->file,
        .priv = vma->priv,
        .fixed = true,
    };
    if (req.flags & VM_LOCKED && mm->rlimit.memlock != U64_MAX &&
        mm->locked_vm + pages > mm->rlimit.memlock >> PAGE_SHIFT)
        return -EAGAIN;
    if (pgoff > MAX_INDEX || pages > MAX_INDEX - pgoff)
        return -EOVERFLOW;
    struct vma *hold = vma_dup(vma, mm, start, start + PAGE_SIZE); /* the file outlives the old areas */
    if (!hold)
        return -ENOMEM;
    s64 r = vma_map(mm, &req);
    vma_discard(hold);
    if (r >= 0 && req.flags & VM_LOCKED)
        mm->locked_vm += pages;
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
    s64 r = remap_locked(mm, start, len, pgoff);
    mmap_write_unlock(mm);
    if (!r && !(flags & UAPI_MAP_NONBLOCK))
        mm_populate(mm, start, len, true);
    return r;
}
