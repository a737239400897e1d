/* SPDX-License-Identifier: MIT */
/*
 * Commit accounting: how much private writable memory has been promised, against what there is.
 *
 *   vm.overcommit_memory  0 heuristic: one request may not exceed all of RAM and swap   1 always   2 strict: commit_limit()
 *
 * Source: Documentation/mm/overcommit-accounting.rst. Locks: one atomic counter.
 */
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/phys.h>
#include <mm/vma.h>
#include "vma_internal.h"

u64 sysctl_overcommit_memory;
u64 sysctl_overcommit_ratio = 50;
static s64 committed; /* pages */

s64 commit_total(void)
{
    s64 n = READ_ONCE(committed);
    return n > 0 ? n : 0;
}

u64 commit_limit(void)
{
    return phys_managed() * sysctl_overcommit_ratio / 100;
}

int commit_charge(struct mm *mm, u64 pages)
{
    s64 total = __atomic_add_fetch(&committed, (s64)pages, __ATOMIC_RELAXED);
    switch (sysctl_overcommit_memory) {
    case 1:
        return 0;
    case 2: {
        u64 reserve = min(mm ? mm->total_vm / 32 : 0, 128UL << (20 - PAGE_SHIFT));
        u64 limit = commit_limit();
        if (limit > reserve && (u64)total < limit - reserve)
            return 0;
        break;
    }
    default:
        if (pages <= phys_managed())
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
    if (mm->rlimit.as != U64_MAX && mm->total_vm + pages > mm->rlimit.as >> PAGE_SHIFT)
        return false;
    bool data = (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
    return !data || mm->rlimit.data == U64_MAX || mm->data_vm + pages <= mm->rlimit.data >> PAGE_SHIFT;
}
