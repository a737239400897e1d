/* SPDX-License-Identifier: MIT */
/*
 * Where a new area goes.
 *
 *   0 ─ mmap_min_addr ─ … bottom-up from task_size/3 … ─ top-down below mmap_base ─ gap ─ stack ─ task_size
 *
 * A hint is taken when it is free. Top-down finds the highest space below mmap_base, and falls back to bottom-up from the
 * legacy base, which is all there is with the legacy layout. MAP_32BIT searches [1 GiB, 2 GiB) upwards. Below a
 * stack that grows down, its guard gap stays free. Addresses from 2^47 on are only given to hints beyond 2^47 (five levels).
 * Source: behaviour of Linux 6.12 (mmap(2), Documentation/arch/x86/x86_64/5level-paging.rst).
 *
 * Locks: mmap_lock held, for writing by those who then map.
 */
#include <lib/errno.h>
#include <port/random.h>
#include <port/task.h>
#include "vma_internal.h"

u64 sysctl_mmap_min_addr = 65536;
u64 sysctl_stack_guard_gap = 256;

#define MAP_32BIT_LOW  0x40000000UL
#define MAP_32BIT_HIGH 0x80000000UL
#define MAP_32BIT_RANDOM 0x02000000UL

u64 vma_start_gap(const struct vma *vma)
{
    u64 gap = sysctl_stack_guard_gap << PAGE_SHIFT;
    if (!(vma->flags & VM_GROWSDOWN))
        return vma_start(vma);
    return vma_start(vma) > gap ? vma_start(vma) - gap : 0;
}

static u64 lowest_address(void)
{
    return page_align_up(vma_min_addr());
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

/* Upwards from the legacy base, or in the first 2 GiB. hint: 0 or page aligned. */
static s64 bottom_up(struct mm *mm, u64 hint, u64 len, u32 how)
{
    u64 lo = mm->legacy_base, hi = hint > mm->map_limit ? mm->task_size : mm->map_limit;
    if (how & VMA_GAP_32BIT) {
        lo = MAP_32BIT_LOW;
        hi = MAP_32BIT_HIGH;
        if (mm->flags & MMF_RANDOMIZE)
            lo += random_u64() % MAP_32BIT_RANDOM & PAGE_MASK;
    }
    if (len > hi)
        return -ENOMEM;
    if (hint && hint <= hi - len && is_free(mm, hint, len))
        return (s64)hint;
    return search(mm, lo, hi, len, false);
}

s64 vma_find_gap(struct mm *mm, u64 hint, u64 len, u64 vm_flags, u32 how)
{
    u64 low = lowest_address(), limit = mm->map_limit;
    if (len > mm->task_size)
        return -ENOMEM;
    hint = page_align_down(hint);
    if (hint && hint < low && !(how & VMA_GAP_LOW_HINT))
        hint = low;
    if (!(mm->flags & MMF_TOPDOWN) || how & VMA_GAP_32BIT)
        return bottom_up(mm, hint, len, how);
    /* A hint may lie below the limit or beyond it, not across. */
    if (hint && hint <= mm->task_size - len && (hint > limit) == (hint + len > limit) && is_free(mm, hint, len))
        return (s64)hint;
    u64 top = mm->mmap_base + (hint > limit ? mm->task_size - limit : 0);
    s64 addr = search(mm, how & VMA_GAP_ABOVE4G ? 1UL << 32 : low, top, len, true);
    return addr == -ENOMEM ? bottom_up(mm, hint, len, how) : addr;
}

int vma_may_map_at(u64 addr)
{
    return addr < sysctl_mmap_min_addr && !task_capable(TASK_CAP_SYS_RAWIO) ? -EPERM : 0;
}
