/* SPDX-License-Identifier: MIT */
/*
 * mmap, munmap, brk: arguments checked in Linux's order, so that the first error is the same one.
 * Locks: takes mmap_lock for writing. Populating comes after it is released.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/pkey.h>
#include <mm/shmem.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <port/task.h>
#include <uapi/mman.h>

#define LEGACY_FLAGS                                                                               \
    (UAPI_MAP_SHARED | UAPI_MAP_PRIVATE | UAPI_MAP_FIXED | UAPI_MAP_ANONYMOUS |                    \
     UAPI_MAP_DENYWRITE | UAPI_MAP_EXECUTABLE | UAPI_MAP_UNINITIALIZED | UAPI_MAP_GROWSDOWN |      \
     UAPI_MAP_LOCKED | UAPI_MAP_NORESERVE | UAPI_MAP_POPULATE | UAPI_MAP_NONBLOCK |                \
     UAPI_MAP_STACK | UAPI_MAP_HUGETLB | UAPI_MAP_32BIT | UAPI_MAP_ABOVE4G |     \
     UAPI_MAP_HUGE_2MB | UAPI_MAP_HUGE_1GB)

static u64 flags_from(u64 prot, u64 flags)
{
    u64 vm = prot & (UAPI_PROT_READ | UAPI_PROT_WRITE | UAPI_PROT_EXEC); /* same bits as VM_READ.. */
    if (flags & UAPI_MAP_GROWSDOWN)
        vm |= VM_GROWSDOWN;
    if (flags & UAPI_MAP_LOCKED)
        vm |= VM_LOCKED;
    if (flags & UAPI_MAP_STACK)
        vm |= VM_NOHUGEPAGE; /* seen in smaps, and in what merges */
    if (flags & UAPI_MAP_SYNC)
        vm |= VM_SYNC; /* likewise */
    return vm | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
}

static int check_shared_file(const struct map_file *file, struct vma_request *req)
{
    if (req->flags & VM_WRITE && (!file->writable || file->append_only))
        return -EACCES;
    req->flags |= VM_SHARED | VM_MAYSHARE;
    if (!file->writable)
        req->flags &= ~(VM_MAYWRITE | VM_SHARED);
    return 0;
}

/* The file's say: mode it was opened with, offset, seals. 0 or -errno; completes *req. */
static int check_file(const struct map_file *file, u64 flags, struct vma_request *req)
{
    u64 max_pages = DIV_ROUND_UP(file->max_size, PAGE_SIZE), pages = req->len >> PAGE_SHIFT;
    if (req->pgoff > max_pages || pages > max_pages - req->pgoff)
        return -EOVERFLOW;
    u64 type = flags & UAPI_MAP_TYPE, extra = flags & ~(u64)LEGACY_FLAGS;
    if (type == UAPI_MAP_SHARED_VALIDATE && extra)
        return -EOPNOTSUPP; /* MAP_SYNC needs a DAX file */
    int err = 0;
    if (type == UAPI_MAP_SHARED || type == UAPI_MAP_SHARED_VALIDATE)
        err = check_shared_file(file, req);
    else if (type != UAPI_MAP_PRIVATE)
        return -EINVAL;
    if (err)
        return err;
    if (!file->readable)
        return -EACCES;
    if (!file->executable) {
        if (req->flags & VM_EXEC)
            return -EPERM;
        req->flags &= ~VM_MAYEXEC;
    }
    if (!file->mapping && !file->ops)
        return -ENODEV;
    if (req->flags & VM_GROWSDOWN)
        return -EINVAL;
    if (file->deny_shared_write && req->flags & VM_SHARED) {
        if (req->flags & VM_WRITE)
            return -EPERM;
        req->flags &= ~VM_MAYWRITE;
    }
    req->flags |= file->vm_flags;
    req->mapping = file->mapping;
    req->ops = file->ops;
    req->file = file->file;
    req->priv = file->priv;
    return 0;
}

static int check_anon(u64 flags, struct vma_request *req)
{
    switch (flags & UAPI_MAP_TYPE) {
    case UAPI_MAP_SHARED:
        if (req->flags & VM_GROWSDOWN)
            return -EINVAL;
        req->pgoff = 0;
        req->flags |= VM_SHARED | VM_MAYSHARE;
        return 0;
    case UAPI_MAP_DROPPABLE:
        if (flags & (UAPI_MAP_LOCKED | UAPI_MAP_HUGETLB) || req->flags & VM_GROWSDOWN)
            return -EINVAL;
        /* Nothing is promised for what may vanish, and nobody relies on it later. */
        req->flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
        return 0;
    case UAPI_MAP_PRIVATE:
        return 0;
    default:
        return -EINVAL;
    }
}

static int check_locked(const struct mm *mm, u64 flags, const struct vma_request *req)
{
    if (flags & UAPI_MAP_LOCKED && !task_limit(mm, TASK_LIMIT_MEMLOCK) && !task_capable(TASK_CAP_IPC_LOCK))
        return -EPERM;
    return vma_may_lock(mm, req->flags, req->len >> PAGE_SHIFT) ? 0 : -EAGAIN;
}

/* mmap_lock held for writing. */
static s64 map_locked(struct mm *mm, struct vma_request *req, const struct map_file *file, u64 prot, u64 flags)
{
    req->flags |= mm->def_flags;
    if (mm->map_count > sysctl_max_map_count)
        return -ENOMEM;
    if (unlikely(prot == UAPI_PROT_EXEC))
        req->flags |= (u64)pkey_exec_only(mm) << VM_PKEY_SHIFT;
    int err = vma_place(mm, req);
    if (!err && unlikely(req->flags & VM_LOCKED))
        err = check_locked(mm, flags, req);
    if (!err)
        err = file ? check_file(file, flags, req) : check_anon(flags, req);
    if (err)
        return err;
    if (flags & UAPI_MAP_NORESERVE && sysctl_overcommit_memory != 2)
        req->flags |= VM_NORESERVE;
    struct shmem_anon *shared = NULL;
    if ((!file || file->zero) && req->flags & VM_SHARED) {
        shared = shmem_anon_alloc(mm, req->len, req->flags & VM_NORESERVE);
        if (!shared)
            return -ENOMEM;
        req->mapping = &shared->mapping;
        req->ops = &shmem_anon_vma_ops;
        req->file = NULL;
        req->priv = shared;
    }
    /* What may be dropped is not locked, only filled like what is. */
    u64 not_locked = req->flags & VM_DROPPABLE ? req->flags & (VM_LOCKED | VM_LOCKONFAULT) : 0;
    req->flags &= ~not_locked;
    s64 addr = vma_map(mm, req);
    if (shared)
        shmem_anon_put(shared); /* the area has its own reference now */
    if (unlikely(req->flags & VM_LOCKED) && addr >= 0)
        mm->locked_vm += req->len >> PAGE_SHIFT;
    req->flags |= not_locked; /* the caller fills it */
    return addr;
}

s64 sys_mm_mmap(struct mm *mm, u64 addr, u64 len, u64 prot, u64 flags, const struct map_file *file,
                u64 offset)
{
    if (offset & ~PAGE_MASK || !len)
        return -EINVAL;
    u64 size = page_align_up(len);
    if (!size)
        return -ENOMEM;
    if ((offset >> PAGE_SHIFT) + (size >> PAGE_SHIFT) < offset >> PAGE_SHIFT)
        return -EOVERFLOW;
    if (flags & UAPI_MAP_HUGETLB)
        return -EINVAL; /* hugetlb is configured out */
    if (flags & UAPI_MAP_FIXED_NOREPLACE)
        flags |= UAPI_MAP_FIXED;
    if (prot & UAPI_PROT_READ && task_read_implies_exec() && (!file || file->executable))
        prot |= UAPI_PROT_EXEC;
    struct vma_request req = {
        .addr = addr,
        .len = size,
        .flags = flags_from(prot, flags),
        .pgoff = offset >> PAGE_SHIFT,
        .fixed = flags & UAPI_MAP_FIXED,
        .noreplace = flags & UAPI_MAP_FIXED_NOREPLACE,
        .how = (flags & UAPI_MAP_32BIT ? VMA_GAP_32BIT : 0) | (flags & UAPI_MAP_ABOVE4G ? VMA_GAP_ABOVE4G : 0),
    };
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    s64 at = map_locked(mm, &req, file, prot, flags);
    mmap_write_unlock(mm);
    bool populate = (flags & (UAPI_MAP_POPULATE | UAPI_MAP_NONBLOCK)) == UAPI_MAP_POPULATE ||
                    req.flags & VM_LOCKED; /* an area that took VM_LOCKONFAULT is passed over */
    if (at >= 0 && populate)
        mm_populate(mm, (u64)at, size, true);
    return at;
}

s64 sys_mm_munmap(struct mm *mm, u64 addr, u64 len)
{
    u64 size = page_align_up(len);
    if (addr & ~PAGE_MASK || addr > mm->task_size || len > mm->task_size - addr || !size)
        return -EINVAL;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    err = vma_unmap(mm, addr, size);
    mmap_write_unlock(mm);
    return err;
}

/* Extends or makes the heap's area over [old,end). */
static int grow_heap(struct mm *mm, u64 old, u64 end)
{
    struct vma_request req = {
        .addr = old,
        .len = end - old,
        .flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | mm->def_flags |
                 (task_read_implies_exec() ? VM_EXEC : 0),
        .fixed = true,
        .noreplace = true,
        .apart = old == page_align_up(mm->start_brk), /* the heap is no part of the bss before it */
    };
    struct vma *next = vma_find(mm, old);
    if (next && end + PAGE_SIZE > vma_start_gap(next))
        return -ENOMEM;
    if (!vma_may_lock(mm, req.flags, req.len >> PAGE_SHIFT))
        return -EAGAIN;
    s64 r = vma_map(mm, &req);
    if (r < 0)
        return (int)r;
    if (req.flags & VM_LOCKED)
        mm->locked_vm += req.len >> PAGE_SHIFT;
    return 0;
}

/* The heap shrinks to `end`: 0, or -errno, also where nothing is left to unmap. */
static int shrink_heap(struct mm *mm, u64 end, u64 old)
{
    const struct vma *vma = vma_find(mm, end);
    return vma && vma_start(vma) < old ? vma_unmap(mm, end, old - end) : -EINVAL;
}

s64 sys_mm_brk(struct mm *mm, u64 brk)
{
    if (mmap_write_lock_killable(mm))
        return -EINTR;
    u64 old = page_align_up(mm->brk), end = page_align_up(brk);
    bool populate = false;
    if (brk < mm->start_brk || brk > mm->task_size)
        goto out;
    if (task_limit(mm, TASK_LIMIT_DATA) != U64_MAX &&
        (brk - mm->start_brk) + (mm->end_data - mm->start_data) > task_limit(mm, TASK_LIMIT_DATA))
        goto out;
    if (end > old) {
        if (grow_heap(mm, old, end))
            goto out;
        populate = (mm->def_flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
    } else if (end < old && shrink_heap(mm, end, old)) {
        goto out;
    }
    mm->brk = brk;
out:
    brk = mm->brk;
    mmap_write_unlock(mm);
    if (populate)
        mm_populate(mm, old, end - old, true);
    return (s64)brk;
}
