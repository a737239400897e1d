/* SPDX-License-Identifier: MIT */
/*
 * RAM until the core takes over: one sorted table of ranges, each free or reserved.
 *
 *   firmware's map ─ memory_add ─ memory_limit (mem=) ─ memory_reserve (image, initramfs)
 *     ─ memory_alloc (page tables, memory map, stacks) ─ mem_ranges(): the core's from here on
 *
 * Invariants
 *  1. ranges[] is sorted by base, page aligned, without overlap; neighbours differ in node or
 *     kind or do not touch.
 *  2. After mem_ranges() was called nothing changes any more.
 * Locks: none; only the boot CPU runs.
 */
#include <arch/boot.h>
#include <arch/setup.h>
#include <port/log.h>

#define MAX_RANGES   256
#define MAX_FIRMWARE 128

static struct mem_range ranges[MAX_RANGES];
static size_t nr_ranges;
static struct boot_range firmware[MAX_FIRMWARE];
static size_t nr_firmware;
static bool handed_over;
phys_t memory_top;

static u64 range_end(const struct mem_range *r)
{
    return r->base + r->size;
}

static void range_insert(size_t at, struct mem_range r)
{
    ASSERT(nr_ranges < MAX_RANGES);
    for (size_t i = nr_ranges; i > at; i--)
        ranges[i] = ranges[i - 1];
    ranges[at] = r;
    nr_ranges++;
}

static void range_remove(size_t at)
{
    nr_ranges--;
    for (size_t i = at; i < nr_ranges; i++)
        ranges[i] = ranges[i + 1];
}

static void merge_neighbours(void)
{
    for (size_t i = 0; i + 1 < nr_ranges;) {
        struct mem_range *a = &ranges[i], *b = &ranges[i + 1];
        if (range_end(a) == b->base && a->kind == b->kind && a->node == b->node) {
            a->size += b->size;
            range_remove(i + 1);
        } else {
            i++;
        }
    }
}

/* Makes a range boundary at addr, if a range straddles it. */
static void split_at(phys_t addr)
{
    for (size_t i = 0; i < nr_ranges; i++) {
        struct mem_range *r = &ranges[i];
        if (r->base < addr && addr < range_end(r)) {
            struct mem_range upper = *r;
            upper.base = addr;
            upper.size = range_end(r) - addr;
            r->size = addr - r->base;
            range_insert(i + 1, upper);
            return;
        }
    }
}

/* Usable RAM that touches RAM already known is refused: the first report of a page counts. */
static void add_ram(phys_t lo, phys_t hi)
{
    for (size_t i = 0; i < nr_ranges && lo < hi; i++) {
        if (range_end(&ranges[i]) <= lo)
            continue;
        if (ranges[i].base >= hi)
            break;
        if (lo < ranges[i].base)
            add_ram(lo, ranges[i].base);
        lo = range_end(&ranges[i]);
    }
    if (lo >= hi || nr_ranges == MAX_RANGES / 2)
        return;
    size_t at = 0;
    while (at < nr_ranges && ranges[at].base < lo)
        at++;
    range_insert(at, (struct mem_range){.base = lo, .size = hi - lo, .kind = MEM_FREE});
    if (hi > memory_top)
        memory_top = hi;
}

void memory_add(phys_t base, u64 size, u32 type)
{
    if (!size)
        return;
    if (nr_firmware < MAX_FIRMWARE)
        firmware[nr_firmware++] = (struct boot_range){base, size, type};
    if (type != 1 || size > U64_MAX - base)
        return;
    /* struct page numbers frames with 32 bits. */
    phys_t lo = page_align_up(base);
    phys_t hi = min(page_align_down(base + size), 1UL << 44);
    add_ram(lo, hi);
}

void memory_limit(u64 bytes)
{
    phys_t limit = page_align_down(bytes);
    split_at(limit);
    while (nr_ranges && ranges[nr_ranges - 1].base >= limit)
        nr_ranges--;
    memory_top = nr_ranges ? range_end(&ranges[nr_ranges - 1]) : 0;
}

void memory_reserve(phys_t base, u64 size)
{
    phys_t lo = page_align_down(base), hi = page_align_up(base + size);
    ASSERT(!handed_over);
    split_at(lo);
    split_at(hi);
    for (size_t i = 0; i < nr_ranges; i++)
        if (ranges[i].base >= lo && range_end(&ranges[i]) <= hi)
            ranges[i].kind = MEM_RESERVED;
    merge_neighbours();
}

void memory_set_node(phys_t base, u64 size, u32 node)
{
    phys_t lo = page_align_down(base), hi = page_align_up(base + size);
    split_at(lo);
    split_at(hi);
    for (size_t i = 0; i < nr_ranges; i++)
        if (ranges[i].base >= lo && range_end(&ranges[i]) <= hi)
            ranges[i].node = node;
    merge_neighbours();
}

phys_t memory_alloc(u64 size, u64 align, phys_t lo, phys_t hi, u32 node)
{
    ASSERT(!handed_over);
    for (size_t i = nr_ranges; i-- > 0;) {
        const struct mem_range *r = &ranges[i];
        phys_t from = max(r->base, lo), to = min(range_end(r), hi);
        if (r->kind != MEM_FREE || (node != ~0u && r->node != node) || from >= to ||
            to - from < size)
            continue;
        phys_t at = ALIGN_DOWN(to - size, align);
        if (at < from)
            continue;
        memory_reserve(at, size);
        return at;
    }
    return 0;
}

size_t memory_ranges(const struct mem_range **out)
{
    *out = ranges;
    return nr_ranges;
}

size_t mem_ranges(const struct mem_range **out)
{
    handed_over = true;
    return memory_ranges(out);
}

bool memory_is_handed_over(void)
{
    return handed_over;
}

size_t boot_memory_map(const struct boot_range **out)
{
    *out = firmware;
    return nr_firmware;
}
