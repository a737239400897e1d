/* SPDX-License-Identifier: MIT */
/* msync and mincore. mmap_lock for reading; user memory is written with no lock held. */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/pt.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <port/uaccess.h>
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
    return cache_sync(vma->mapping, first, first + (stop - pos) - 1);
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

/* The page of the mapping, or of an entry of its tree or of a table that is in swap, if it is in memory. */
static struct page *find_cached(struct vma *vma, u64 addr, pte_t e)
{
    if (pte_swap(e))
        return swap_find(pte_to_swp(e));
    struct address_space *m = vma->mapping;
    struct page *page = m ? cache_find(m, vma_index(vma, addr)) : NULL;
    void *value = m && !page && m->nrswapped ? cache_value(m, vma_index(vma, addr)) : NULL;
    return value ? swap_find((swp_entry_t){xa_to_value(value)}) : page;
}

/* 1 where the entry is present or a cache holds the page, else 0. */
static u8 resident(struct vma *vma, u64 addr)
{
    rcu_read_lock(); /* the table may be shared (T2) */
    pte_t *pte = pt_find(vma->mm, addr);
    pte_t e = pte ? pte_load(pte) : (pte_t){0};
    rcu_read_unlock();
    if (pte_mapped(e))
        return 1;
    struct page *page = find_cached(vma, addr, e);
    bool there = page && page_test(page, PG_uptodate);
    if (page)
        page_put(page);
    return there;
}

#define MINCORE_CHUNK 256

s64 sys_mm_mincore(struct mm *mm, u64 addr, u64 len, u64 user_vec)
{
    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (addr > mm->task_size || len > mm->task_size - addr)
        return -ENOMEM;
    u64 pages = DIV_ROUND_UP(len, PAGE_SIZE);
    u8 vec[MINCORE_CHUNK];
    for (u64 done = 0; done < pages;) {
        u64 n = min(pages - done, (u64)MINCORE_CHUNK);
        mmap_read_lock(mm);
        for (u64 i = 0; i < n; i++) {
            u64 at = addr + ((done + i) << PAGE_SHIFT);
            struct vma *vma = vma_find(mm, at);
            if (!vma || vma_start(vma) > at) {
                mmap_read_unlock(mm);
                return -ENOMEM;
            }
            vec[i] = resident(vma, at);
        }
        mmap_read_unlock(mm);
        if (copy_to_user(user_vec + done, vec, n))
            return -EFAULT;
        done += n;
    }
    return 0;
}
