/* SPDX-License-Identifier: MIT */
/*
 * The stack grows: a fault below a VM_GROWSDOWN area moves its start down, within RLIMIT_STACK and RLIMIT_AS, and never
 * nearer than the guard gap to the area below (unless that one is a stack or inaccessible).
 *
 * Locks: mmap_lock for writing.
 */
#include <lib/errno.h>
#include <mm/rmap.h>
#include <port/task.h>
#include "vma_internal.h"

int vma_grow_stack(struct vma *vma, u64 addr)
{
    struct mm *mm = vma->mm;
    addr = page_align_down(addr);
    if (addr >= vma_start(vma))
        return 0;
    if (addr < vma_min_addr())
        return -EPERM;
    struct vma *prev = vma_prev(vma);
    if (prev && !(prev->flags & VM_GROWSDOWN) && (prev->flags & VM_ACCESS) &&
        addr - vma_end(prev) < sysctl_stack_guard_gap << PAGE_SHIFT)
        return -ENOMEM;
    if (prev && vma_end(prev) > addr)
        return -ENOMEM;
    if (!vma->anon_vma && anon_vma_prepare(vma)) /* before it touches what lies below: Linux keeps the two apart */
        return -EAGAIN;
    u64 pages = (vma_start(vma) - addr) >> PAGE_SHIFT;
    if (vma_end(vma) - addr > task_limit(mm, TASK_LIMIT_STACK) || !vma_may_expand(mm, vma->flags, pages))
        return -ENOMEM;
    if (!vma_may_lock(mm, vma->flags, pages))
        return -ENOMEM;
    if (commit_charge(mm, pages)) /* what is not on the account must fit, too */
        return -ENOMEM;
    if (!(vma->flags & VM_ACCOUNT))
        commit_uncharge(pages);
    if (vma->flags & VM_LOCKED)
        mm->locked_vm += pages;
    vma_set_bounds(vma, addr, vma_end(vma));
    return 0;
}
