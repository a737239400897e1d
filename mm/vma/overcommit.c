/* SPDX-License-Identifier: MIT */
/*
 * Commit accounting: how much private writable memory has been promised, against what there is.
 *
 *   vm.overcommit_memory  0 heuristic: one request may not exceed all of RAM and swap   1 always   2 strict: commit_limit()
 *
 *   strict: limit  -  admin_reserve (not for CAP_SYS_ADMIN)  -  min(1/32 of the process, user_reserve)
 *
 * Source: Documentation/mm/overcommit-accounting.rst. Locks: one atomic counter.
 */
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/phys.h>
#include <mm/swap.h>
#include <mm/vma.h>
#include <port/task.h>
#include "vma_internal.h"

u64 sysctl_overcommit_memory;
u64 sysctl_overcommit_ratio = 50;
u64 sysctl_overcommit_kbytes;
u64 sysctl_admin_reserve_kbytes = 8192, sysctl_user_reserve_kbytes = 131072;
static s64 committed; /* pages */

s64 commit_total(void)
{
    s64 n = READ_ONCE(committed);
    return n > 0 ? n : 0;
}

u64 commit_limit(void)
{
    if (sysctl_overcommit_kbytes)
        return (sysctl_overcommit_kbytes >> (PAGE_SHIFT - 10)) + swap_total_pages();
    return phys_managed() * sysctl_overcommit_ratio / 100 + swap_total_pages();
}

int commit_charge(struct mm *mm, u64 pages)
{
    s64 total = __atomic_add_fetch(&committed, (s64)pages, __ATOMIC_RELAXED);
    switch (sysctl_overcommit_memory) {
    case 1:
        return 0;
    case 2: {
        s64 limit = (s64)commit_limit();
        if (!task_capable(TASK_CAP_SYS_ADMIN))
            limit -= (s64)(sysctl_admin_reserve_kbytes >> (PAGE_SHIFT - 10));
        if (mm) /* one process may not grow so big that its user can't end it any more */
            limit -= (s64)min(mm->total_vm / 32, sysctl_user_reserve_kbytes >> (PAGE_SHIFT - 10));
        if (max(total, 0L) < limit)
            return 0;
        break;
    }
    default:
        if (pages <= phys_managed() + swap_total_pages())
            return 0;
    }
    commit_uncharge(pages);
    return -ENOMEM;
}

void commit_uncharge(u64 pages)
{
    __atomic_fetch_sub(&committed, (s64)pages, __ATOMIC_RELAXED);
}

bool vma_is_accountable(u64 flags)
{
    return (flags & (VM_WRITE | VM_SHARED | VM_NORESERVE | VM_HUGETLB)) == VM_WRITE;
}

bool vma_may_expand(const struct mm *mm, u64 flags, u64 pages)
{
    u64 as = task_limit(mm, TASK_LIMIT_AS);
    if (as != U64_MAX && mm->total_vm + pages > as >> PAGE_SHIFT)
        return false;
    if ((flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) != VM_WRITE)
        return true;
    u64 data = task_limit(mm, TASK_LIMIT_DATA);
    if (data == U64_MAX || mm->data_vm + pages <= data >> PAGE_SHIFT)
        return true;
    /* Valgrind sets 0 to keep brk for itself, and maps all the same: then the hard limit counts. */
    return !data && mm->data_vm + pages <= task_limit(mm, TASK_LIMIT_DATA_MAX) >> PAGE_SHIFT;
}

bool vma_may_lock(const struct mm *mm, u64 flags, u64 pages)
{
    if (!(flags & VM_LOCKED))
        return true;
    u64 limit = task_limit(mm, TASK_LIMIT_MEMLOCK);
    return limit == U64_MAX || mm->locked_vm + pages <= limit >> PAGE_SHIFT || task_capable(TASK_CAP_IPC_LOCK);
}
