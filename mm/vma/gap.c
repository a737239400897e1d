/* SPDX-License-Identifier: MIT */
/*
 * Where a new area goes.
 *
 *   0 ─ mmap_min_addr ─ … bottom-up from task_size/3 … ─ top-down below mmap_base ─ gap ─ stack ─ task_size
 *
 * A hint is taken when it is free. Top-down finds the highest space below mmap_base, and falls back to bottom-up. Below a
 * stack that grows down, its guard gap stays free. Addresses from 2^47 on are only given to hints beyond 2^47 (five levels).
 * Source: behaviour of Linux 6.12 (mmap(2), Documentation/arch/x86/x86_64/5level-paging.rst).
 *
 * Locks: mmap_lock held, for writing by those who then map.
 */
#include <lib/errno.h>
#include "vma_internal.h"

u64 sysctl_mmap_min_addr = 65536;
u64 sysctl_stack_guard_gap = 256;

#define MAP_32BIT_LOW  0x40000000UL
#define MAP_32BIT_HIGH 0x80000000UL

u64 vma_start_gap(const struct vma *vma)
{
    u64 gap = sysctl_stack_guard_gap << PAGE_SHIFT;
    if (!(vma->flags & VM_GROWSDOWN))
        return vma_start(vma);
    return vma_start(vma) > gap ? vma_start(vma) - gap : 0;
}

static u64 lowest_address(void)
{
    return max(PAGE_SIZE, page_align_up(sysctl_mmap_min_addr));
}

static bool is_free(struct mm *mm, u64 addr, u64 len)
{
    struct vma *next = vma_find(mm, addr);
    return !next || addr + len <= vma_start_gap(next);
}

/* Highest or lowest space in [lo,hi), stepping over guard gaps below stacks. */
static s64 search(struct mm *mm, u64 lo, u64 hi, u64 len, bool down)
{
    u64 addr;
    while (lo < hi && hi - lo >= len) {
        int err = down ? rt_gap_highest(&mm->vmas, lo, hi, len, PAGE_SIZE, 0, &addr)
                       : rt_gap_lowest(&mm->vmas, lo, hi, len, PAGE_SIZE, 0, &addr);
        if (err)
            return err;
        struct vma *next = vma_find(mm, addr);
        u64 limit = next ? vma_start_gap(next) : U64_MAX;
        if (addr + len <= limit)
            return (s64)addr;
        if (down) /* retry below the guard gap, which may reach past areas under it */
            hi = limit;
        else
            lo = vma_end(next);
    }
    return -ENOMEM;
}

s64 vma_find_gap(struct mm *mm, u64 hint, u64 len, u64 vm_flags, bool below_4g)
{
    u64 low = lowest_address();
    u64 limit = hint >= mm->map_limit ? mm->task_size : mm->map_limit;
    if (len > limit - low)
        return -ENOMEM;
    if (hint) {
        hint = page_align_down(hint);
        if (hint < low)
            hint = low;
        if (hint <= limit - len && is_free(mm, hint, len) && (!below_4g || hint + len <= 1UL << 32))
            return (s64)hint;
    }
    if (below_4g)
        return search(mm, MAP_32BIT_LOW, MAP_32BIT_HIGH, len, false);
    if (mm->flags & MMF_TOPDOWN) {
        u64 top = mm->mmap_base + (limit - mm->map_limit);
        s64 addr = search(mm, low, top, len, true);
        if (addr != -ENOMEM)
            return addr;
    }
    u64 bottom = page_align_up(mm->map_limit / 3);
    s64 addr = search(mm, bottom, limit, len, false);
    return addr == -ENOMEM ? search(mm, low, bottom, len, false) : addr;
}
