/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of every address space (drawn in <arch/mmu.h>), and device mappings.
 *
 *   direct map   every range of RAM and the first MiB, with the largest leaves that fit, never
 *                executable; the part behind .text and .rodata is read-only like the image itself
 *   image        4 KiB leaves: .text R-X, .rodata R--, the rest RW-; .ro_after_init R-- from
 *                paging_seal() on
 *
 * Invariants
 *  1. No page is writable through one mapping and executable through another (W^X).
 *  2. All entries that a root table needs for the kernel's half exist when paging_init() returns,
 *     so that a root is made by copying them and never goes stale. With five levels that is the
 *     last entry alone.
 *
 * Locks: map_lock for device mappings; before that only the boot CPU runs.
 */
#include <arch/boot.h>
#include <arch/mmu.h>
#include <arch/setup.h>
#include <lib/errno.h>
#include <mm/phys.h>
#include <port/log.h>

#define KERNEL_BITS (PTE_P | PTE_RW | PTE_A | PTE_D)
#define TABLE_BITS  (PTE_P | PTE_RW | PTE_A)
#define DEVICE_BITS (KERNEL_BITS | PTE_PCD | PTE_PWT)

unsigned pt_nr_levels = 4;
u64 pt_xd_bit, pt_global_bit;
bool pt_gb_pages, pt_pkeys;

static phys_t kernel_root __ro_after_init;
static u16 kernel_slots[PT_ENTRIES / 2] __ro_after_init; /* used entries of the root's upper half */
static unsigned nr_kernel_slots __ro_after_init;
static spinlock_t map_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static u64 ioremap_next = IOREMAP_BASE;

static phys_t table_alloc(void)
{
    if (memory_is_handed_over()) {
        struct page *page = alloc_page(GFP_ATOMIC | GFP_ZERO | GFP_NOWARN);
        return page ? page_to_phys(page) : 0;
    }
    /* Below 1 GiB, where the boot tables reach. */
    phys_t pa = memory_alloc(PAGE_SIZE, PAGE_SIZE, 1UL << 20, PUD_SIZE, ~0u);
    if (pa)
        mem_clear_page(phys_to_virt(pa));
    return pa;
}

/* The entry for va in the table of `level`, making tables on the way when `make`; NULL: none, or
 * out of memory. */
static pte_t *walk(u64 va, unsigned level, bool make)
{
    pte_t *table = phys_to_virt(kernel_root);
    for (unsigned l = pt_nr_levels; l > level; l--) {
        pte_t *e = &table[pt_index(va, l)];
        if (pte_none(*e)) {
            phys_t pa = make ? table_alloc() : 0;
            if (!pa)
                return NULL;
            pte_store(e, pte_make(pa >> PAGE_SHIFT, TABLE_BITS));
        } else if (pte_huge(*e)) {
            return NULL;
        }
        table = phys_to_virt(pte_pfn(*e) << PAGE_SHIFT);
    }
    return &table[pt_index(va, level)];
}

pte_t *paging_walk(u64 va, unsigned level)
{
    return walk(va, level, true);
}

int paging_map(u64 va, phys_t pa, u64 size, u64 bits, unsigned max_level)
{
    for (u64 done = 0; done < size;) {
        unsigned level = max_level;
        while (level > 1 &&
               (size - done < pt_span(level) || ((va + done) | (pa + done)) & (pt_span(level) - 1)))
            level--;
        pte_t *e = walk(va + done, level, true);
        if (!e)
            return -ENOMEM;
        pte_store(e, pte_make((pa + done) >> PAGE_SHIFT, bits | (level > 1 ? PTE_PS : 0)));
        done += pt_span(level);
    }
    return 0;
}

static void map_or_die(u64 va, phys_t pa, u64 size, u64 bits, unsigned max_level)
{
    if (paging_map(va, pa, size, bits, max_level))
        panic("no memory below 1 GiB for the kernel's page tables");
}

static void map_direct(phys_t lo, phys_t hi, u64 bits)
{
    if (lo < hi)
        map_or_die(DIRECT_MAP_BASE + lo, lo, hi - lo, bits, pt_gb_pages ? 3 : 2);
}

struct run {
    phys_t lo, hi;
};
#define MAX_RUNS 128

/* RAM with ranges joined where they touch. A copy, because making tables splits ranges. */
static size_t ram_runs(struct run *runs)
{
    const struct mem_range *r;
    size_t n = memory_ranges(&r), nr = 0;
    for (size_t i = 0; i < n; i++) {
        if (nr && runs[nr - 1].hi == r[i].base)
            runs[nr - 1].hi += r[i].size;
        else if (nr < MAX_RUNS)
            runs[nr++] = (struct run){r[i].base, r[i].base + r[i].size};
    }
    return nr;
}

/* The read-only part of the image is cut out. */
static void map_all_ram(u64 rw, u64 ro)
{
    static struct run runs[MAX_RUNS];
    phys_t ro_lo = image_phys(text_start), ro_hi = image_phys(rodata_end);
    size_t n = ram_runs(runs);
    map_direct(0, 1UL << 20, rw);
    for (size_t i = 0; i < n; i++) {
        phys_t lo = max(runs[i].lo, 1UL << 20), hi = runs[i].hi;
        if (lo <= ro_lo && ro_hi <= hi) {
            map_direct(lo, ro_lo, rw);
            map_direct(ro_lo, ro_hi, ro);
            lo = ro_hi;
        }
        map_direct(lo, hi, rw);
    }
}

static void map_image(u64 rw, u64 ro)
{
    u64 text = (u64)text_start, rodata = (u64)rodata_start, data = (u64)ro_after_init_start;
    map_or_die(text, image_phys(text_start), (u64)text_end - text, PTE_P | PTE_A | pt_global_bit,
               1);
    map_or_die(rodata, image_phys(rodata_start), (u64)rodata_end - rodata, ro, 1);
    map_or_die(data, image_phys(ro_after_init_start), (u64)image_end - data, rw, 1);
}

/* Makes the entries of the level below the root-most 512 GiB steps, for regions that are filled
 * later. */
static void prepare(u64 start, u64 end)
{
    for (u64 va = start; va < end; va += pt_span(4))
        if (!walk(va, 3, true))
            panic("no memory below 1 GiB for the kernel's page tables");
}

void paging_init(void)
{
    u64 rw = KERNEL_BITS | pt_xd_bit | pt_global_bit;
    u64 ro = PTE_P | PTE_A | pt_xd_bit | pt_global_bit;
    kernel_root = table_alloc();
    if (!kernel_root)
        panic("no memory below 1 GiB for the kernel's page tables");
    prepare(VMALLOC_BASE, VMALLOC_END);
    prepare(IOREMAP_BASE, IOREMAP_END);
    prepare(MEMMAP_BASE, MEMMAP_BASE + (memory_top >> PAGE_SHIFT) * sizeof(struct page));
    map_all_ram(rw, ro);
    map_image(rw, ro);
    const pte_t *root = phys_to_virt(kernel_root);
    for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
        if (!pte_none(root[i]))
            kernel_slots[nr_kernel_slots++] = i;
    __asm__ volatile("movq %0, %%cr3" ::"r"(kernel_root) : "memory");
}

static void protect(u64 va, u64 size, u64 bits)
{
    for (u64 a = va; a < va + size; a += PAGE_SIZE) {
        pte_t *e = walk(a, 1, false);
        if (e)
            pte_store(e, pte_make(pte_pfn(*e), bits));
    }
    mmu_flush_kernel(va, va + size);
}

/* What the boot wrote and nobody should write again. The direct map's alias is in a larger leaf
 * and stays: it is never executable, and no pointer leads there. */
void paging_seal(void)
{
    protect((u64)ro_after_init_start, ro_after_init_end - ro_after_init_start,
            PTE_P | PTE_A | pt_xd_bit | pt_global_bit);
}

phys_t mmu_kernel_root(void)
{
    return kernel_root;
}

void mmu_init_root(void *root_table)
{
    pte_t *to = root_table;
    const pte_t *from = phys_to_virt(kernel_root);
    for (unsigned i = 0; i < nr_kernel_slots; i++)
        to[kernel_slots[i]] = from[kernel_slots[i]];
}

void mem_vmalloc_range(u64 *start, u64 *end)
{
    *start = VMALLOC_BASE;
    *end = VMALLOC_END;
}

/* Addresses are handed out once; a device's registers stay mapped. */
static void *ioremap_bits(phys_t pa, size_t size, u64 bits)
{
    phys_t lo = page_align_down(pa), hi = page_align_up(pa + size);
    u64 flags = spin_lock_irqsave(&map_lock);
    u64 va = ioremap_next;
    if (hi - lo >= PMD_SIZE)
        va = ALIGN_UP(va, PMD_SIZE) + (lo & (PMD_SIZE - 1));
    int err = hi <= lo || va + (hi - lo) > IOREMAP_END
                  ? -ENOMEM
                  : paging_map(va, lo, hi - lo, bits | pt_xd_bit | pt_global_bit, 2);
    if (!err)
        ioremap_next = va + (hi - lo);
    spin_unlock_irqrestore(&map_lock, flags);
    return err ? NULL : (void *)(va + (pa - lo));
}

void *arch_ioremap(phys_t pa, size_t size)
{
    return ioremap_bits(pa, size, DEVICE_BITS);
}

void *arch_ioremap_cached(phys_t pa, size_t size)
{
    return ioremap_bits(pa, size, KERNEL_BITS);
}
