/* SPDX-License-Identifier: MIT */
/*
 * The copy of an address space for fork: all areas are copied and linked, then their entries; tables are shared
 * (mm/pt/share.c), or private pages become write-protected on both sides, and the next write decides (mm/fault/cow.c).
 *
 * On failure the child is taken down like any other, so nothing has to be unwound by hand; the parent keeps its
 * write-protected entries, which costs it faults but nothing else.
 *
 * Locks: the parent's mmap_lock for writing, then the child's.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/uffd.h>
#include "vma_internal.h"

static void copy_layout(struct mm *mm, const struct mm *from)
{
    mm->task_size = from->task_size;
    mm->map_limit = from->map_limit;
    mm->mmap_base = from->mmap_base;
    mm->legacy_base = from->legacy_base;
    mm->start_code = from->start_code;
    mm->end_code = from->end_code;
    mm->start_data = from->start_data;
    mm->end_data = from->end_data;
    mm->start_brk = from->start_brk;
    mm->brk = from->brk;
    mm->start_stack = from->start_stack;
    mm->arg_start = from->arg_start;
    mm->arg_end = from->arg_end;
    mm->env_start = from->env_start;
    mm->env_end = from->env_end;
    mm->flags = (from->flags & (MMF_TOPDOWN | MMF_RANDOMIZE)) | mmf_inherited(from->flags);
    mm->rlimit = from->rlimit;
    mm->pkeys = from->pkeys;
    mm->exec_pkey = from->exec_pkey;
    mm->vdso = from->vdso;
    for (unsigned i = 0; i < ARRAY_SIZE(mm->saved_auxv); i++)
        mm->saved_auxv[i] = from->saved_auxv[i];
    mm->exe_file = from->exe_file;
    if (mm->exe_file)
        mm_home_ops->exe_get(mm->exe_file);
}

/* One area of the child. */
static int fork_area(struct mm *child, struct vma *src)
{
    u64 pages = vma_pages(src);
    if (src->flags & VM_ACCOUNT && commit_charge(child, pages))
        return -ENOMEM;
    struct vma *vma = vma_dup(src, child, vma_start(src), vma_end(src));
    if (!vma) {
        if (src->flags & VM_ACCOUNT)
            commit_uncharge(pages);
        return -ENOMEM;
    }
    WRITE_ONCE(vma->flags, vma->flags & ~(VM_LOCKED | VM_LOCKONFAULT));
    if (vma->anon_vma)
        vma->anon_id = anon_vma_new_id(false); /* not inserted yet: nobody else looks */
    int err = unlikely(vma->uffd) ? uffd_fork_area(vma, src->mm) : 0;
    struct rt_node *last = child->vmas.last;
    rt_insert_between(&child->vmas, last, NULL, &vma->node);
    child->map_count++;
    vma_account(child, vma->flags, (s64)pages);
    if (src->flags & VM_WIPEONFORK)
        anon_vma_unlink(vma);
    return err;
}

/* Entries follow when all areas are there: a table may lie under several. *copied: the parent's were write-protected. */
static int fork_entries(struct mm *child, struct mm *parent, bool *copied)
{
    struct vma *dst = vma_first(child);
    for (struct vma *src = vma_first(parent); src; src = vma_next(src)) {
        if (src->flags & VM_DONTCOPY)
            continue;
        /* Without an anon_vma, the child's faults find the pages in the cache, but not that they are write-protected. */
        if (!(src->flags & VM_WIPEONFORK) && (!src->mapping || src->anon_vma || dst->flags & VM_UFFD_WP)) {
            *copied = true;
            int err = pt_copy_range(dst, src);
            if (err)
                return err;
        }
        dst = vma_next(dst);
    }
    return 0;
}

int mm_fork(struct mm *parent, struct mm **out)
{
    struct mm *child = mm_alloc();
    if (!child)
        return -ENOMEM;
    int err = mmap_write_lock_killable(parent);
    if (err) {
        mm_put(child);
        return err;
    }
    down_write_nested(&child->mmap_lock);
    copy_layout(child, parent);
    bool copied = false;
    for (struct vma *vma = vma_first(parent); vma && !err; vma = vma_next(vma)) {
        vma_write_lock(vma);
        if (!(vma->flags & VM_DONTCOPY))
            err = fork_area(child, vma);
    }
    if (!err)
        err = fork_entries(child, parent, &copied);
    child->hiwater_vm = child->total_vm;
    if (copied)
        tlb_flush_mm(parent);
    if (unlikely(err && parent->uffd_events))
        uffd_fork_failed(parent);
    mmap_write_unlock(child);
    mmap_write_unlock(parent);
    if (err) {
        mm_put(child);
        return err;
    }
    *out = child;
    return 0;
}
