/* SPDX-License-Identifier: MIT */
/*
 * The layout of a new program, as Linux 6.12 on x86-64 lays it out:
 *
 *   stack top    map_limit - up to 16 GiB (22 random bits of pages) - 0 or 1 page
 *   mmap_base    map_limit - (stack limit + 16 GiB + guard gap, clamped to [128 MiB, 5/6]) - 28 random bits of pages
 *   PIE          2/3 of map_limit + 28 random bits of pages
 *   brk          end of bss + a page + up to 1 GiB; PIE base + up to 1 GiB for a PIE without interpreter
 *
 * Source: Documentation/admin-guide/sysctl/kernel.rst (randomize_va_space), /proc/sys/vm/mmap_rnd_bits (28).
 */
#include <mm/mm.h>
#include <mm/vma.h>
#include <port/random.h>

u64 sysctl_randomize_va_space = 2;
u64 sysctl_mmap_rnd_bits = 28;
u64 sysctl_mmap_rnd_compat_bits = 8; /* of 32-bit programs, which there are none of */
u64 sysctl_legacy_va_layout;

#define STACK_RANDOM_PAGES 0x3fffffUL
#define STACK_RANDOM_BYTES 8192UL /* what Linux takes off below the page-aligned top */
#define BRK_RANDOM_BYTES   (1UL << 30)
#define GAP_MIN            (128UL << 20)

u64 mm_random_pages(unsigned bits)
{
    return (random_u64() & ((1UL << bits) - 1)) << PAGE_SHIFT;
}

void mm_set_layout(struct mm *mm, const struct mm_layout_request *req)
{
    u64 rnd_stack = req->randomize ? (random_u64() & STACK_RANDOM_PAGES) << PAGE_SHIFT : 0;
    if (req->randomize)
        rnd_stack += random_u64() % STACK_RANDOM_BYTES & PAGE_MASK;
    mm->start_stack = mm->map_limit - rnd_stack;
    u64 rnd = req->randomize ? mm_random_pages((unsigned)sysctl_mmap_rnd_bits) : 0;
    mm->flags = (mm->flags & ~(u64)MMF_RANDOMIZE) | (req->randomize ? MMF_RANDOMIZE : 0);
    mm->legacy_base = page_align_up(mm->map_limit / 3) + rnd;
    if (req->legacy) {
        mm->flags &= ~(u64)MMF_TOPDOWN;
        mm->mmap_base = mm->legacy_base;
        return;
    }
    u64 pad = sysctl_stack_guard_gap << PAGE_SHIFT;
    if (req->randomize)
        pad += STACK_RANDOM_PAGES << PAGE_SHIFT;
    u64 gap = req->stack_limit;
    if (gap + pad > gap)
        gap += pad;
    gap = max(gap, GAP_MIN);
    gap = min(gap, mm->map_limit / 6 * 5);
    mm->flags |= MMF_TOPDOWN;
    mm->mmap_base = page_align_up(mm->map_limit - gap - rnd);
}

u64 mm_pie_base(const struct mm *mm, bool randomize)
{
    u64 base = page_align_down(mm->map_limit / 3 * 2);
    return randomize ? base + mm_random_pages((unsigned)sysctl_mmap_rnd_bits) : base;
}

u64 mm_random_brk(u64 brk)
{
    return page_align_down(brk) + (random_u64() % BRK_RANDOM_BYTES & PAGE_MASK);
}
