/* SPDX-License-Identifier: MIT */
/*
 * process_mrelease's work: the private pages of an address space whose threads are all about to end go at once, before the
 * last of them comes to it. From then on a fault in it must not bring pages of zeros: MMF_UNSTABLE, which the home heeds.
 *
 * Locks: mmap_lock for reading.
 */
#include <lib/errno.h>
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/sys.h>
#include <mm/vma.h>

s64 sys_mm_reap(struct mm *mm)
{
    mmap_read_lock(mm);
    __atomic_fetch_or(&mm->flags, MMF_UNSTABLE, __ATOMIC_RELAXED);
    for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
        if (v->flags & (VM_HUGETLB | VM_PFNMAP) || (v->flags & VM_SHARED && !vma_is_anon(v)))
            continue;
        struct gather g;
        gather_begin(&g, mm, false);
        if (unlikely(v->flags & VM_LOCKED))
            munlock_range(v, vma_start(v), vma_end(v));
        pt_zap_range(&g, v, vma_start(v), vma_end(v));
        gather_end(&g);
    }
    mmap_read_unlock(mm);
    return 0;
}
