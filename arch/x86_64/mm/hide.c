/* SPDX-License-Identifier: MIT */
/*
 * Frames outside the direct map. A large leaf over the frame is split, once and for good, into 512 of the next size:
 *
 *   [      1 GiB      ]  ->  [2M][2M]...[2M]  ->  [4K][4K] 0 [4K]...
 *
 * The pieces say what the leaf said, so a CPU that still has the leaf in its TLB is right about all of them but the hidden one, and
 * that one is flushed everywhere before mem_hide_page() returns.
 *
 * Locks: `lock` for every change of the direct map after boot.
 */
#include <arch/mmu.h>
#include <lib/errno.h>
#include <mm/phys.h>
#include <port/lock.h>
#include <port/mem.h>
#include <port/pte.h>

static spinlock_t lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

/* *e, a leaf of `level`, becomes a table of leaves in `fresh`. */
static void split(pte_t *e, unsigned level, struct page *fresh)
{
    pte_t leaf = *e, *table = page_to_virt(fresh);
    u64 step = pt_span(level - 1) >> PAGE_SHIFT, bits = leaf.v & ~PTE_PFN_MASK;
    if (level == 2)
        bits &= ~PTE_PS;
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        table[i] = pte_make(pte_pfn(leaf) + i * step, bits);
    pte_store(e, pte_make(page_to_pfn(fresh), PTE_P | PTE_RW | PTE_A));
}

/* The last-level entry of va, or the leaf above it with *level > 1. */
static pte_t *leaf_of(u64 va, unsigned *level)
{
    pte_t *table = phys_to_virt(mmu_kernel_root());
    for (*level = pt_levels();; --*level) {
        pte_t *e = &table[pt_index(va, *level)];
        if (*level == 1 || (*level <= 3 && pte_huge(*e)))
            return e;
        table = phys_to_virt(pte_pfn(*e) << PAGE_SHIFT);
    }
}

int mem_hide_page(pfn_t pfn)
{
    u64 va = (u64)phys_to_virt(pfn << PAGE_SHIFT);
    struct page *spare[2] = {0};
    unsigned level, used = 0;
    u64 flags = spin_lock_irqsave(&lock);
    pte_t *e = leaf_of(va, &level);
    while (level > 1) {
        if (used == 2 || !spare[used]) { /* allocation needs the lock given up, and then a fresh look */
            spin_unlock_irqrestore(&lock, flags);
            struct page *page = alloc_page(GFP_KERNEL);
            if (!page) {
                if (spare[0])
                    page_put(spare[0]);
                return -ENOMEM;
            }
            spare[spare[0] ? 1 : 0] = page;
            flags = spin_lock_irqsave(&lock);
        } else {
            split(e, level, spare[used++]);
        }
        e = leaf_of(va, &level);
    }
    pte_store(e, (pte_t){0});
    spin_unlock_irqrestore(&lock, flags);
    for (; used < 2; used++)
        if (spare[used])
            page_put(spare[used]);
    mmu_flush_kernel(va, va + PAGE_SIZE);
    return 0;
}

void mem_show_page(pfn_t pfn)
{
    unsigned level;
    u64 flags = spin_lock_irqsave(&lock);
    pte_t *e = leaf_of((u64)phys_to_virt(pfn << PAGE_SHIFT), &level);
    pte_store(e, pte_make(pfn, PTE_P | PTE_RW | PTE_A | PTE_D | pt_xd_bit | pt_global_bit));
    spin_unlock_irqrestore(&lock, flags);
}
