/* SPDX-License-Identifier: MIT */
/*
 * Where the memory map (struct page of every frame) lives: virtually contiguous from MEMMAP_BASE,
 * backed by RAM taken from the node it describes.
 *
 * A chunk is 2 MiB of the map, which describes 256 MiB. A chunk whose frames are mostly RAM gets
 * a 2 MiB page that is NOT present at first: its entry holds the address and all bits but P. The
 * first access faults, memmap_fault() clears the page and makes it present. So boot pays for what
 * it uses, and stale contents after a warm reset do no harm. A chunk with little RAM (small
 * machines, the end of memory) gets 4 KiB pages, cleared at boot.
 *
 * Invariant 1: an entry of the memory map goes from absent to present once and never back.
 * Locks: fault_lock, taken with interrupts off; nests inside any other.
 */
#include <arch/setup.h>
#include <lib/errno.h>
#include <mm/page.h>
#include <port/mmu.h>
#include <port/log.h>

#define FRAMES_PER_CHUNK (PMD_SIZE / sizeof(struct page))
#define CHUNK_BYTES      (FRAMES_PER_CHUNK << PAGE_SHIFT)
/* The buddy allocator looks at neighbours within a block of this many frames. */
#define BLOCK_FRAMES 1024UL

static spinlock_t fault_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static u64 entry_bits(void)
{
    return PTE_RW | PTE_A | PTE_D | pt_xd_bit | pt_global_bit;
}

static phys_t take(u64 size, u32 node)
{
    phys_t pa = memory_alloc(size, size, 1UL << 20, U64_MAX, node);
    return pa ? pa : memory_alloc(size, size, 1UL << 20, U64_MAX, ~0u);
}

/* RAM bytes of [lo,hi) and the node that the first of them is on. */
static u64 ram_between(phys_t lo, phys_t hi, u32 *node)
{
    const struct mem_range *r;
    size_t n = memory_ranges(&r);
    u64 sum = 0;
    for (size_t i = 0; i < n; i++) {
        phys_t a = max(r[i].base, lo), b = min(r[i].base + r[i].size, hi);
        if (a >= b)
            continue;
        if (!sum)
            *node = r[i].node;
        sum += b - a;
    }
    return sum;
}

/* Backs the map's pages that describe RAM of [lo,hi), rounded to buddy blocks. */
static void back_small(phys_t lo, phys_t hi)
{
    u64 step = min(BLOCK_FRAMES << PAGE_SHIFT, hi - lo);
    for (phys_t at = lo; at < hi; at += step) {
        u32 node = 0;
        if (!ram_between(at, at + step, &node))
            continue;
        u64 va = (u64)pfn_to_page(at >> PAGE_SHIFT);
        for (u64 off = 0; off < BLOCK_FRAMES * sizeof(struct page); off += PAGE_SIZE) {
            pte_t *e = paging_walk(va + off, 1);
            phys_t pa = take(PAGE_SIZE, node);
            if (!e || !pa)
                panic("no room for the memory map");
            mem_clear_page(phys_to_virt(pa));
            pte_store(e, pte_make(pa >> PAGE_SHIFT, entry_bits() | PTE_P));
        }
    }
}

static bool back_chunk(phys_t lo, u32 node)
{
    pte_t *e = paging_walk((u64)pfn_to_page(lo >> PAGE_SHIFT), 2);
    phys_t pa = take(PMD_SIZE, node);
    if (!e || !pa)
        return false;
    pte_store(e, pte_make(pa >> PAGE_SHIFT, entry_bits() | PTE_PS));
    return true;
}

void memmap_init(void)
{
    for (phys_t lo = 0; lo < memory_top; lo += CHUNK_BYTES) {
        u32 node = 0;
        u64 ram = ram_between(lo, lo + CHUNK_BYTES, &node);
        if (!ram)
            continue;
        if (ram < CHUNK_BYTES * 3 / 4 || !back_chunk(lo, node))
            back_small(lo, lo + CHUNK_BYTES);
    }
}

/* The entry that would map addr, or NULL when there is no table for it or a page is there
 * already. */
static pte_t *absent_chunk(u64 addr)
{
    const pte_t *table = phys_to_virt(mmu_kernel_root());
    for (unsigned level = pt_levels(); level > 2; level--) {
        pte_t e = pte_load(&table[pt_index(addr, level)]);
        if (!pte_present(e))
            return NULL;
        table = phys_to_virt(pte_pfn(e) << PAGE_SHIFT);
    }
    pte_t *e = (pte_t *)&table[pt_index(addr, 2)];
    return pte_load(e).v & PTE_PS ? e : NULL;
}

bool memmap_fault(u64 addr)
{
    if (addr < MEMMAP_BASE || addr >= MEMMAP_END)
        return false;
    pte_t *e = absent_chunk(addr);
    if (!e)
        return false;
    u64 flags = spin_lock_irqsave(&fault_lock);
    pte_t v = pte_load(e);
    if (!pte_present(v)) {
        char *page = phys_to_virt(pte_pfn(v) << PAGE_SHIFT);
        for (u64 off = 0; off < PMD_SIZE; off += PAGE_SIZE)
            mem_clear_page(page + off);
        pte_store(e, (pte_t){v.v | PTE_P});
    }
    spin_unlock_irqrestore(&fault_lock, flags);
    return true;
}

/* Everything that describes RAM, rounded to buddy blocks, is there since memmap_init(). */
int mem_memmap_populate(pfn_t lo, pfn_t hi)
{
    return hi <= ALIGN_UP(memory_top >> PAGE_SHIFT, BLOCK_FRAMES) || lo >= hi ? 0 : -ENOMEM;
}
