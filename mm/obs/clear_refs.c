/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/clear_refs.
 *
 *   1  all areas            A of entries and PG_referenced of pages go: Referenced of smaps begins anew
 *   2  areas without a file
 *   3  areas of a file
 *   4  all areas            VM_SOFTDIRTY, and SOFT_DIRTY with RW of entries: pagemap's bit 55 begins anew
 *   5  the peak of resident memory is today's
 *
 * Locks: mmap_lock for writing; for 4 each area is write-locked.
 */
#include <lib/errno.h>
#include <mm/obs_mm.h>
#include <mm/pt.h>
#include <mm/vma.h>

enum { REFS_ALL = 1, REFS_ANON, REFS_MAPPED, REFS_SOFT_DIRTY, REFS_HIWATER, REFS_END };

static bool wanted(const struct vma *v, int what)
{
    bool file = v->mapping || v->file;
    if (v->flags & VM_PFNMAP)
        return false;
    return what == REFS_ANON ? !file : what == REFS_MAPPED ? file : true;
}

/* The area's entries are watched from now on. The flag goes first, for all areas alike, with or without entries. */
static void watch(struct vma *v)
{
    if (!(v->flags & VM_SOFTDIRTY))
        return;
    vma_write_lock(v);
    WRITE_ONCE(v->flags, v->flags & ~VM_SOFTDIRTY);
    v->prot = vma_page_prot(v->flags, v->mapping);
}

static int clear_area(struct vma *v, int what)
{
    int err = pt_own_range(v->mm, vma_start(v), vma_end(v));
    if (!err)
        pt_clean_range(v, vma_start(v), vma_end(v), what == REFS_SOFT_DIRTY);
    return err;
}

int mm_clear_refs(struct mm *mm, int what)
{
    if (what < REFS_ALL || what >= REFS_END)
        return -EINVAL;
    if (mmap_write_lock_killable(mm))
        return -EINTR;
    int err = 0;
    if (what == REFS_HIWATER)
        mm->hiwater_rss = rss_total(mm);
    for (struct vma *v = vma_first(mm); v && !err && what != REFS_HIWATER; v = vma_next(v)) {
        if (what == REFS_SOFT_DIRTY)
            watch(v);
        if (wanted(v, what))
            err = clear_area(v, what);
    }
    mmap_write_unlock(mm);
    return err;
}
