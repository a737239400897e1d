/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/pagemap: eight bytes for each page of an address space.
 *
 *   63 present  62 swapped (any entry that maps nothing)  61 file or shared memory  57 userfaultfd write-protected
 *   56 mapped by this entry alone  55 written to since clear_refs 4  54..0 frame number, or of a swap entry 54..5 offset and
 *   4..0 area, for the privileged
 *
 * Locks: mmap_lock for reading; entries are read without theirs and may be old news.
 */
#include <lib/string.h>
#include <mm/obs_mm.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/swap.h>
#include <mm/vma.h>

#define PM_SOFT_DIRTY     (1UL << 55)
#define PM_MMAP_EXCLUSIVE (1UL << 56)
#define PM_UFFD_WP        (1UL << 57)
#define PM_FILE           (1UL << 61)
#define PM_SWAP           (1UL << 62)
#define PM_PRESENT        (1UL << 63)
#define PM_SWAP_TYPE_BITS 5
#define PM_PFN_MASK       ((1UL << 55) - 1)

struct fill {
    struct vma *vma;
    struct map_counter counter;
    u64 start, *out;
    bool show_pfn;
};

static u64 software_bits(pte_t e)
{
    return (e.v & PTE_SOFT_DIRTY ? PM_SOFT_DIRTY : 0) | (e.v & PTE_UFFD_WP ? PM_UFFD_WP : 0);
}

static int fill_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct fill *f = ctx;
    u64 *out = &f->out[(addr - f->start) >> PAGE_SHIFT];
    if (!pte_mapped(e)) {
        *out |= PM_SWAP | software_bits(e);
        if (f->show_pfn && pte_swap(e))
            *out |= swp_offset(pte_to_swp(e)) << PM_SWAP_TYPE_BITS | swp_type(pte_to_swp(e));
        return 0;
    }
    *out |= PM_PRESENT | software_bits(e);
    if (f->show_pfn)
        *out |= pte_pfn(e) & PM_PFN_MASK;
    if (pte_special(e) || f->vma->flags & VM_PFNMAP)
        return 0;
    struct page *page = pfn_to_page(pte_pfn(e));
    if (!page_is_anon(page))
        *out |= PM_FILE;
    if (map_count(&f->counter, f->vma, addr, page, 2) == 1)
        *out |= PM_MMAP_EXCLUSIVE;
    return 0;
}

void obs_pagemap(struct mm *mm, u64 start, u64 n, bool show_pfn, u64 *out)
{
    struct fill f = {.start = start, .out = out, .show_pfn = show_pfn};
    u64 end = start + (n << PAGE_SHIFT);
    memset(out, 0, n * sizeof(*out));
    mmap_read_lock(mm);
    for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end; v = vma_next(v)) {
        u64 lo = max(start, vma_start(v)), hi = min(end, vma_end(v));
        if (v->flags & VM_SOFTDIRTY)
            for (u64 i = (lo - start) >> PAGE_SHIFT; i < (hi - start) >> PAGE_SHIFT; i++)
                out[i] = PM_SOFT_DIRTY;
        f.vma = v;
        pt_for_each(mm, lo, hi, fill_entry, &f);
    }
    mmap_read_unlock(mm);
}
