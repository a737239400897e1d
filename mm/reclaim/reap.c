/* SPDX-License-Identifier: MIT */
/*
 * Reaping: the private pages of an address space whose threads are all about to end go at once, before the last of them comes to
 * it. From then on a fault in it must not bring pages of zeros: MMF_UNSTABLE, which the home heeds. For the OOM reaper and
 * process_mrelease.
 *
 * Locks: mmap_lock for reading.
 */
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/trace.h>
#include <mm/vma.h>

static void reap(struct mm *mm)
{
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
}

bool mm_try_reap(struct mm *mm)
{
    if (!mmap_read_trylock(mm))
        return false;
    trace_start_task_reaping(mm->oom.pid);
    reap(mm);
    trace_finish_task_reaping(mm->oom.pid);
    mmap_read_unlock(mm);
    return true;
}

void mm_reap(struct mm *mm)
{
    mmap_read_lock(mm);
    reap(mm);
    mmap_read_unlock(mm);
}
