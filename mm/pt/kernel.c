/* SPDX-License-Identifier: MIT */
/*
 * Kernel space: vmalloc's entries under the kernel's own root. Every address space shares the tables below the root's
 * kernel half, so a new entry shows up everywhere at once.
 *
 * Invariants
 *  K1. A range belongs to the caller alone (vmalloc gave it out), so leaf entries need no lock.
 *  K2. Tables are installed by compare-and-exchange and stay for good: nobody can be walking one that goes.
 *  K3. A range is unmapped and flushed before it is given out again: new entries need no flush.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/phys.h>
#include <port/log.h>

u64 pt_kernel_bits(void)
{
    return PTE_P | PTE_RW | PTE_A | PTE_D | pte_xd_bit() | pte_global_bit();
}

/* The table below the empty entry p of the kernel's tree. 0 or -ENOMEM. */
static int make_kernel_table(pte_t *p)
{
    struct page *page = alloc_page(GFP_KERNEL | GFP_ZERO);
    if (!page)
        return -ENOMEM;
    page_init_flags(page, 1u << PG_table);
    pte_t old = {0}, e = pte_make(page_to_pfn(page), PTE_P | PTE_RW | PTE_A);
    if (!pte_cmpxchg(p, &old, e)) {
        page_init_flags(page, 0);
        free_pages(page, 0);
    }
    return 0;
}

/* Level-1 entry of va; NULL when a table is missing and can't or shan't be made. */
static pte_t *kernel_entry(u64 va, bool make)
{
    pte_t *t = phys_to_virt(mmu_kernel_root());
    for (unsigned level = pt_levels(); level > 1; level--) {
        pte_t *p = t + pt_index(va, level);
        if (pte_none(pte_load(p)) && (!make || make_kernel_table(p)))
            return NULL;
        pte_t e = pte_load(p);
        ASSERT((e.v & (PTE_P | PTE_PS)) == PTE_P);
        t = phys_to_virt(e.v & PTE_PFN_MASK); /* the home chose the bits of its own tables */
    }
    return t + pt_index(va, 1);
}

int pt_map_kernel(u64 va, struct page **pages, u64 n, u64 bits)
{
    pte_t *p = NULL;
    for (u64 i = 0; i < n; i++, p++) {
        u64 a = va + (i << PAGE_SHIFT);
        if (!p || IS_ALIGNED(a, PMD_SIZE))
            p = kernel_entry(a, true);
        if (!p) {
            pt_unmap_kernel(va, i);
            return -ENOMEM;
        }
        ASSERT(pte_none(pte_load(p)));
        pte_store(p, pte_make(page_to_pfn(pages[i]), bits));
    }
    return 0;
}

void pt_unmap_kernel(u64 va, u64 n)
{
    u64 end = va + (n << PAGE_SHIFT);
    pte_t *p = NULL;
    if (n == 0)
        return;
    for (u64 a = va; a < end; a += PAGE_SIZE, p++) {
        if (!p || IS_ALIGNED(a, PMD_SIZE))
            p = kernel_entry(a, false);
        ASSERT(p);
        pte_store(p, (pte_t){0});
    }
    mmu_flush_kernel(va, end);
}
