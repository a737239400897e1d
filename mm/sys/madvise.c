/* SPDX-License-Identifier: MIT */
/*
 * madvise. Advice of features that are absent answers as Linux with them configured out: EINVAL (THP, KSM, memory failure).
 *
 * MADV_FREE frees at once: a program may not rely on the old bytes from the call on, and without reclaim nothing would
 * free them later.
 *
 * Locks: mmap_lock for reading where pages are dropped, for writing where flags change.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/readahead.h>
#include <mm/sys.h>
#include <mm/uffd.h>
#include <mm/swap.h>
#include <mm/vma.h>
#include <uapi/fadvise.h>
#include <uapi/mman.h>
#include "madvise.h"

struct advice {
    int nr;
    u64 set, clear; /* flags kept in the area */
};
static const struct advice flag_advice[] = {
    {UAPI_MADV_NORMAL, 0, VM_RAND_READ | VM_SEQ_READ},
    {UAPI_MADV_RANDOM, VM_RAND_READ, VM_SEQ_READ},
    {UAPI_MADV_SEQUENTIAL, VM_SEQ_READ, VM_RAND_READ},
    {UAPI_MADV_DONTFORK, VM_DONTCOPY, 0},
    {UAPI_MADV_DOFORK, 0, VM_DONTCOPY},
    {UAPI_MADV_WIPEONFORK, VM_WIPEONFORK, 0},
    {UAPI_MADV_KEEPONFORK, 0, VM_WIPEONFORK},
    {UAPI_MADV_DONTDUMP, VM_DONTDUMP, 0},
    {UAPI_MADV_DODUMP, 0, VM_DONTDUMP},
};

/* What Linux has a struct file for: also System V and shared memory, which have only a mapping here. */
static inline bool is_filed(const struct vma *vma)
{
    return vma->file || vma->mapping;
}

static const struct advice *find_flag_advice(int nr)
{
    for (size_t i = 0; i < ARRAY_SIZE(flag_advice); i++)
        if (flag_advice[i].nr == nr)
            return &flag_advice[i];
    return NULL;
}

static int check_flag_advice(const struct vma *vma, int nr)
{
    switch (nr) {
    case UAPI_MADV_DOFORK:
        return vma->flags & VM_IO ? -EINVAL : 0;
    case UAPI_MADV_DODUMP:
        return vma->flags & (VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_MIXEDMAP | VM_DROPPABLE) ? -EINVAL : 0;
    case UAPI_MADV_KEEPONFORK:
        return vma->flags & VM_DROPPABLE ? -EINVAL : 0;
    case UAPI_MADV_WIPEONFORK:
        return is_filed(vma) || vma->flags & VM_SHARED ? -EINVAL : 0;
    default:
        return 0;
    }
}

static bool may_drop(const struct vma *vma, int nr)
{
    if (vma->flags & (VM_PFNMAP | VM_HUGETLB) || (vma->flags & VM_LOCKED && nr != UAPI_MADV_DONTNEED_LOCKED))
        return false;
    return nr != UAPI_MADV_FREE || vma_is_anon(vma);
}

/* Entries of [start,end) go; the area stays. mmap_lock may be released and taken again: then vma is stale afterwards. */
static int drop_pages(struct vma *vma, u64 start, u64 end, int nr)
{
    struct mm *mm = vma->mm;
    if (!may_drop(vma, nr))
        return -EINVAL;
    if (unlikely(vma->uffd) && !uffd_remove(vma, start, end)) {
        mmap_read_lock(mm);
        vma = vma_find(mm, start);
        if (!vma || vma_start(vma) > start)
            return -ENOMEM;
        if (!may_drop(vma, nr))
            return -EINVAL;
        end = min(end, vma_end(vma));
    }
    if (pt_own_range(mm, start, vma->flags & VM_UFFD_WP ? end : start) || pt_own_edges(mm, start, end))
        return -EAGAIN;
    struct gather g;
    gather_begin(&g, mm, false);
    if (unlikely(vma->flags & VM_LOCKED))
        munlock_range(vma, start, end);
    pt_zap_pages(&g, vma, start, end);
    gather_end(&g);
    return 0;
}

/* mmap_lock may be released and taken again, as above. */
static int remove_pages(struct vma *vma, u64 start, u64 end)
{
    struct mm *mm = vma->mm;
    struct address_space *m = vma->mapping;
    if (vma->flags & VM_LOCKED || !is_filed(vma))
        return -EINVAL;
    if ((vma->flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
        return -EACCES;
    if (!m || m->ops->read_pages || vma_is_secret(vma))
        return -EOPNOTSUPP; /* as a file system without hole punching */
    u64 from = vma_index(vma, start) << PAGE_SHIFT, to = from + (end - start);
    if (unlikely(READ_ONCE(m->flags) & AS_SEALED))
        return -EPERM;
    if (likely(!vma->uffd))
        return cache_punch(m, from, to);
    /* The area may go while its monitor is told, but not the file. */
    struct vma hold = {.mm = mm, .flags = vma->flags, .ops = vma->ops, .file = vma->file, .priv = vma->priv};
    if (hold.ops && hold.ops->open)
        hold.ops->open(&hold);
    if (!uffd_remove(vma, start, end))
        mmap_read_lock(mm);
    int err = cache_punch(m, from, to);
    if (hold.ops && hold.ops->close)
        hold.ops->close(&hold);
    return err;
}

static int read_ahead(struct vma *vma, u64 start, u64 end)
{
    struct address_space *m = vma->mapping;
    madvise_read_swap(vma, start, end);
    if (!m)
        return 0;
    struct file_ra_state *ra = vma->ops && vma->ops->readahead ? vma->ops->readahead(vma) : NULL;
    cache_advise(m, ra, vma_index(vma, start) << PAGE_SHIFT, (s64)(end - start), POSIX_FADV_WILLNEED);
    return 0;
}

/* Advice that loses bytes, now or in a child, is refused where the program itself could not write them. */
static bool seal_refuses(const struct vma *vma, int nr)
{
    switch (nr) {
    case UAPI_MADV_FREE:
    case UAPI_MADV_DONTNEED:
    case UAPI_MADV_DONTNEED_LOCKED:
    case UAPI_MADV_REMOVE:
    case UAPI_MADV_DONTFORK:
    case UAPI_MADV_WIPEONFORK:
        return vma->flags & VM_SEALED && !(vma->flags & VM_SHARED) && !is_filed(vma) &&
               fault_check_access(vma, FAULT_WRITE); /* the rights of a protection key count, too */
    default:
        return false;
    }
}

static int advise_area(struct vma *vma, u64 start, u64 end, int nr)
{
    if (seal_refuses(vma, nr))
        return -EPERM;
    const struct advice *a = find_flag_advice(nr);
    if (a) {
        int err = check_flag_advice(vma, nr);
        if (!err)
            err = vma_set_flags(vma->mm, start, end, a->set, a->clear);
        return err == -ENOMEM ? -EAGAIN : err;
    }
    switch (nr) {
    case UAPI_MADV_DONTNEED:
    case UAPI_MADV_DONTNEED_LOCKED:
    case UAPI_MADV_FREE:
        return drop_pages(vma, start, end, nr);
    case UAPI_MADV_REMOVE:
        return remove_pages(vma, start, end);
    case UAPI_MADV_WILLNEED:
        return read_ahead(vma, start, end);
    default: /* COLD, PAGEOUT */
        if (vma->flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB))
            return -EINVAL;
        if (nr != UAPI_MADV_PAGEOUT) {
            madvise_cold(vma, start, end);
            return 0;
        }
        /* What may vanish at any time vanishes when it is not wanted. */
        if (vma->flags & VM_DROPPABLE)
            return drop_pages(vma, start, end, nr);
        madvise_pageout(vma, start, end);
        return 0;
    }
}

/* Every area of [start,end) in turn; a hole is reported after the rest was done. mmap_lock held. */
static int advise_range(struct mm *mm, u64 start, u64 end, int nr)
{
    int hole = 0;
    for (u64 pos = start; pos < end;) {
        struct vma *vma = vma_find(mm, pos);
        if (!vma || vma_start(vma) >= end)
            return -ENOMEM;
        if (vma_start(vma) > pos) {
            hole = -ENOMEM;
            pos = vma_start(vma);
        }
        u64 stop = min(end, vma_end(vma));
        int err = advise_area(vma, pos, stop, nr);
        if (err)
            return err;
        pos = stop;
    }
    return hole;
}

/* MADV_POPULATE_*: as if each page were read or written. */
static int populate(struct mm *mm, u64 start, u64 end, u32 fault_flags)
{
    for (u64 pos = start; pos < end; pos += PAGE_SIZE) {
        mmap_read_lock(mm);
        struct vma *vma = vma_find(mm, pos);
        int err = 0;
        if (!vma || vma_start(vma) > pos)
            err = -ENOMEM;
        else if (vma->flags & (VM_PFNMAP | VM_IO) || vma_is_secret(vma) || fault_check_access(vma, fault_flags) ||
                 !(fault_flags & FAULT_WRITE || vma->flags & VM_READ))
            err = -EINVAL;
        mmap_read_unlock(mm);
        if (err)
            return err;
        struct page *page;
        s64 n = gup(mm, pos, 1, fault_flags, &page);
        if (n != 1)
            return n == -EINTR || n == -ENOMEM || n == -EHWPOISON ? (int)n : -EFAULT;
        page_put(page);
    }
    return 0;
}

static bool known(int nr)
{
    switch (nr) {
    case UAPI_MADV_WILLNEED:
    case UAPI_MADV_DONTNEED:
    case UAPI_MADV_FREE:
    case UAPI_MADV_REMOVE:
    case UAPI_MADV_COLD:
    case UAPI_MADV_PAGEOUT:
    case UAPI_MADV_POPULATE_READ:
    case UAPI_MADV_POPULATE_WRITE:
    case UAPI_MADV_DONTNEED_LOCKED:
        return true;
    default:
        return find_flag_advice(nr) != NULL;
    }
}

s64 sys_mm_madvise(struct mm *mm, u64 addr, u64 len, int advice)
{
    if (!known(advice) || addr & ~PAGE_MASK)
        return -EINVAL;
    u64 size = page_align_up(len), end = addr + size;
    if ((len && !size) || end < addr)
        return -EINVAL;
    if (end == addr)
        return 0;
    if (advice == UAPI_MADV_POPULATE_READ || advice == UAPI_MADV_POPULATE_WRITE)
        return populate(mm, addr, end, advice == UAPI_MADV_POPULATE_WRITE ? FAULT_WRITE : 0);
    bool write = find_flag_advice(advice) != NULL;
    if (write) {
        int err = mmap_write_lock_killable(mm);
        if (err)
            return err;
    } else {
        mmap_read_lock(mm);
    }
    int err = advise_range(mm, addr, end, advice);
    if (write)
        mmap_write_unlock(mm);
    else
        mmap_read_unlock(mm);
    return err;
}
