/* SPDX-License-Identifier: MIT */
/*
 * mincore: which pages of a range could be touched without waiting for a device: those with an entry, and those that the cache of
 * the file below holds. Who may neither write the file nor owns it is not told what others have read: all pages are there.
 *
 * Locks: mmap_lock for reading; user memory is written with no lock held.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/pt.h>
#include <mm/swap.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <port/uaccess.h>

#define CHUNK 512u /* pages at once, and at most one table */

/* Is what lies in swap also in memory? */
static u8 in_swap_cache(swp_entry_t entry)
{
    struct page *page = swap_find(entry);
    bool there = page && page_test(page, PG_uptodate);
    if (page)
        page_put(page);
    return there;
}

/* Shared memory: entries of the tree that are in swap. */
static void look_swapped(struct vma *vma, u64 addr, u32 n, u8 *vec)
{
    u64 index = vma_index(vma, addr);
    for (u32 i = 0; i < n; i++) {
        void *value = vec[i] ? NULL : cache_value(vma->mapping, index + i);
        if (value)
            vec[i] = in_swap_cache((swp_entry_t){xa_to_value(value)});
    }
}

/* n pages from addr on, all in the area and below one table. */
static void look(struct vma *vma, u64 addr, u32 n, u8 *vec)
{
    if (vma->mapping && vma->ops && vma->ops->may_look && !vma->ops->may_look(vma)) {
        memset(vec, 1, n);
        return;
    }
    if (vma->mapping)
        cache_present(vma->mapping, vma_index(vma, addr), n, vec);
    else
        memset(vec, 0, n);
    if (vma->mapping && vma->mapping->nrswapped)
        look_swapped(vma, addr, n, vec);
    rcu_read_lock(); /* the table may be shared (T2) */
    pte_t *pte = pt_find(vma->mm, addr);
    for (u32 i = 0; pte && i < n; i++) {
        pte_t e = pte_load(&pte[i]);
        if (pte_mapped(e))
            vec[i] = 1;
        else if (unlikely(pte_swap(e)))
            vec[i] = in_swap_cache(pte_to_swp(e));
    }
    rcu_read_unlock();
}

/* Up to n pages from addr on. Returns how many, or -ENOMEM where there is no area. */
static s64 look_chunk(struct mm *mm, u64 addr, u64 n, u8 *vec)
{
    struct vma *vma = vma_find(mm, addr);
    if (!vma || vma_start(vma) > addr)
        return -ENOMEM;
    n = min(n, (vma_end(vma) - addr) >> PAGE_SHIFT);
    n = min(n, (u64)(PT_ENTRIES - pt_index(addr, 1)));
    look(vma, addr, (u32)n, vec);
    return (s64)n;
}

s64 sys_mm_mincore(struct mm *mm, u64 addr, u64 len, u64 user_vec)
{
    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (addr > mm->task_size || len > mm->task_size - addr)
        return -ENOMEM;
    u64 pages = DIV_ROUND_UP(len, PAGE_SIZE);
    u8 vec[CHUNK];
    for (u64 done = 0; done < pages;) {
        mmap_read_lock(mm);
        s64 n = look_chunk(mm, addr + (done << PAGE_SHIFT), min(pages - done, (u64)CHUNK), vec);
        mmap_read_unlock(mm);
        if (n < 0)
            return n;
        if (copy_to_user(user_vec + done, vec, (size_t)n))
            return -EFAULT;
        done += (u64)n;
    }
    return 0;
}
