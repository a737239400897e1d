/* SPDX-License-Identifier: MIT */
/*
 * mremap: shrink, grow in place, move.
 *
 *   new_len < old_len            the tail is unmapped
 *   room behind                  the area grows where it is
 *   MREMAP_MAYMOVE / _FIXED      a copy of the area elsewhere, entries moved, the old range unmapped (DONTUNMAP: kept empty)
 *   old_len == 0                 a second view of a shared mapping
 *
 * Locks: mmap_lock for writing throughout; entries are moved with both areas write-locked.
 */
#include <lib/errno.h>
#include <mm/fault.h>
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/sys.h>
#include <mm/uffd.h>
#include <mm/vma.h>
#include <uapi/mman.h>

struct move {
    struct mm *mm;
    u64 addr, old_len, new_len, flags, new_addr;
    u64 populate_start, populate_len; /* out: a locked area grew */
    u64 asked_len;                    /* old_len as the call had it */
    struct uffd_event *
        *mark; /* behind these events the one of the move is sent; NULL: behind all */
};

/* May the area grow by `more` pages? 0 or -errno. */
static int check_growth(const struct move *m, const struct vma *vma)
{
    const struct mm *mm = m->mm;
    u64 pgoff = vma_index(vma, m->addr), more = (m->new_len - m->old_len) >> PAGE_SHIFT;
    if (pgoff + (m->new_len >> PAGE_SHIFT) < pgoff)
        return -EINVAL;
    if (vma->flags & (VM_DONTEXPAND | VM_PFNMAP))
        return -EFAULT;
    if (!vma_may_lock(mm, vma->flags, more))
        return -EAGAIN;
    return vma_may_expand(mm, vma->flags, more) ? 0 : -ENOMEM;
}

/* The area of m->addr if it may be resized or moved as asked, or NULL with *err. */
static struct vma *area_of(const struct move *m, int *err)
{
    struct vma *vma = vma_find(m->mm, m->addr);
    *err = -EFAULT;
    if (!vma || vma_start(vma) > m->addr)
        return NULL;
    *err = -EINVAL;
    if (!m->old_len && !(vma->flags & (VM_SHARED | VM_MAYSHARE)))
        return NULL;
    if (m->flags & UAPI_MREMAP_DONTUNMAP && vma->flags & (VM_DONTEXPAND | VM_PFNMAP))
        return NULL;
    *err = -EFAULT;
    if (m->old_len > vma_end(vma) - m->addr)
        return NULL;
    *err = m->new_len == m->old_len ? 0 : check_growth(m, vma);
    return *err ? NULL : vma;
}

/* Grows in place: 0; -EAGAIN when there is no room; -ENOMEM. */
static int grow_in_place(struct move *m, struct vma *vma)
{
    u64 end = m->addr + m->new_len;
    struct vma *next = vma_next(vma);
    if (vma_end(vma) != m->addr + m->old_len || end > m->mm->task_size || end < m->addr ||
        (next && end > vma_start(next))) /* a guard gap is no obstacle here, as on Linux */
        return -EAGAIN;
    u64 more = (m->new_len - m->old_len) >> PAGE_SHIFT;
    if (vma->flags & VM_ACCOUNT && commit_charge(m->mm, more))
        return -ENOMEM;
    if (vma->flags & VM_LOCKED) {
        m->mm->locked_vm += more;
        m->populate_start = vma_end(vma);
        m->populate_len = more << PAGE_SHIFT;
    }
    vma_set_bounds(vma, vma_start(vma), end);
    vma_merge_next(vma);
    return 0;
}

/* The copy of vma for [to, to + new_len), not inserted; NULL when out of memory. */
static struct vma *make_copy(const struct move *m, struct vma *vma, u64 to)
{
    struct vma *copy = vma_dup(vma, m->mm, vma_start(vma), vma_end(vma));
    if (!copy)
        return NULL;
    rmap_lock_vma(copy);
    copy->pgoff = vma_index(vma, m->addr);
    copy->node.start = to;
    copy->node.end = to + m->new_len;
    if (vma_is_anon(copy) && !copy->anon_vma)
        copy->pgoff =
            to >> PAGE_SHIFT; /* no page depends on it, and so it can merge at its new place */
    rmap_unlock_vma(copy);
    return copy;
}

static void undo_move(struct move *m, struct vma *vma, struct vma *copy, u64 moved)
{
    u64 to = vma_start(copy);
    pt_move_range(copy, to, vma, m->addr, moved); /* the tables of the old place still stand */
    if (copy->uffd)
        uffd_forget_area(copy); /* nobody is told of an area that was never there */
    if (copy->flags & VM_LOCKED)
        m->mm->locked_vm += vma_pages(copy); /* vma_unmap counts it down */
    vma_unmap(m->mm, to, m->new_len);
}

/* [start,end) of a locked area becomes one of its own that is not locked and, as on Linux, joins no neighbour. NULL without memory:
 * then it stays locked. */
static struct vma *unlock_origin(struct mm *mm, struct vma *vma, u64 start, u64 end)
{
    if (vma_start(vma) < start) {
        if (vma_split(mm, vma, start))
            return NULL;
        vma = vma_next(vma);
    }
    if (vma_end(vma) > end && vma_split(mm, vma, end))
        return NULL;
    vma_write_lock(vma);
    mm->locked_vm -= vma_pages(vma);
    WRITE_ONCE(vma->flags, vma->flags & ~(VM_LOCKED | VM_LOCKONFAULT));
    munlock_range(vma, start, end);
    return vma;
}

/* MREMAP_DONTUNMAP: the old place is no longer locked, and an area that was moved as a whole has no anonymous pages. */
static void leave_behind(struct move *m, struct vma *vma)
{
    u64 end = m->addr + m->old_len;
    if (vma->flags & VM_LOCKED) {
        vma = unlock_origin(m->mm, vma, m->addr, end);
        if (!vma)
            return;
    }
    if (vma->anon_vma && vma_start(vma) == m->addr && vma_end(vma) == end)
        anon_vma_unlink(vma);
}

static s64 move_area(struct move *m, struct vma *vma, u64 to)
{
    struct mm *mm = m->mm;
    u64 pages = m->new_len >> PAGE_SHIFT, len = min(m->old_len, m->new_len);
    u64 start = vma_start(vma), end = vma_end(vma);
    if (mm->map_count >= sysctl_max_map_count - 3)
        return -ENOMEM;
    bool account = vma->flags & VM_ACCOUNT;
    if (account && commit_charge(mm, pages))
        return -ENOMEM;
    int err;
    struct uffd_event *event = uffd_remap_prepare(vma, &err);
    struct vma *copy = err ? NULL : make_copy(m, vma, to);
    if (!copy) {
        uffd_remap_failed(event);
        if (account)
            commit_uncharge(pages);
        return -ENOMEM;
    }
    vma_write_lock(vma);
    vma_insert(mm, copy);
    u64 moved = pt_move_range(vma, m->addr, copy, to, len);
    if (moved < len) {
        uffd_remap_failed(event);
        undo_move(m, vma, copy, moved);
        return -ENOMEM;
    }
    if (event)
        uffd_remap_done(event, m->mark ? m->mark : uffd_events_mark(mm), m->addr, to, m->asked_len);
    else if (copy->uffd)
        uffd_forget_area(copy); /* its monitor does not follow */
    if (copy->ops && copy->ops->mremap)
        copy->ops->mremap(copy);
    if (copy->flags & VM_LOCKED) {
        mm->locked_vm += pages;
        m->populate_start = to + len; /* what moved is as it was */
        m->populate_len = m->new_len - len;
    }
    if (m->flags & UAPI_MREMAP_DONTUNMAP)
        leave_behind(m, vma);
    else if (m->old_len)
        vma_unmap(mm, m->addr, m->old_len);
    if (!(m->flags & UAPI_MREMAP_DONTUNMAP)) /* else the copy stays apart from its origin */
        start = end = 0;
    vma_merge_new(vma_find(mm, to), start, end);
    return (s64)to;
}

/* What is beyond new_len goes; old_len may be anything. */
static int shrink(const struct move *m)
{
    u64 from = m->addr + m->new_len, len = m->old_len - m->new_len;
    if (!len)
        return 0;
    if (from > m->mm->task_size || len > m->mm->task_size - from)
        return -EINVAL;
    return vma_unmap(m->mm, from, len);
}

static s64 remap_to(struct move *m)
{
    struct mm *mm = m->mm;
    u64 to = m->new_addr;
    bool fixed = m->flags & UAPI_MREMAP_FIXED;
    if (to & ~PAGE_MASK || m->new_len > mm->task_size || to > mm->task_size - m->new_len)
        return -EINVAL;
    if (m->addr + m->old_len > to && to + m->new_len > m->addr)
        return -EINVAL;
    if (mm->map_count + 2 >= sysctl_max_map_count - 3)
        return -ENOMEM;
    int err;
    if (fixed) {
        err = vma_unmap(mm, to, m->new_len);
        if (err)
            return err;
    }
    m->mark = uffd_events_mark(mm);
    if (m->old_len > m->new_len) {
        err = shrink(m);
        if (err)
            return err;
        m->old_len = m->new_len;
    }
    struct vma *vma = area_of(m, &err);
    if (!vma)
        return err;
    if (m->flags & UAPI_MREMAP_DONTUNMAP &&
        !vma_may_expand(mm, vma->flags, m->old_len >> PAGE_SHIFT))
        return -ENOMEM;
    if (!fixed) {
        s64 at = vma_find_gap(mm, to, m->new_len, vma->flags, VMA_GAP_LOW_HINT);
        if (at < 0)
            return at;
        to = (u64)at;
    }
    err = vma_may_map_at(to);
    return err ? err : move_area(m, vma, to);
}

static s64 remap_locked(struct move *m)
{
    struct mm *mm = m->mm;
    struct vma *vma = vma_find(mm, m->addr);
    if (!vma || vma_start(vma) > m->addr)
        return -EFAULT;
    if (vma->flags & VM_SEALED)
        return -EPERM;
    if (m->flags & (UAPI_MREMAP_FIXED | UAPI_MREMAP_DONTUNMAP))
        return remap_to(m);
    int err;
    if (m->old_len >= m->new_len) {
        err = shrink(m);
        return err ? err : (s64)m->addr;
    }
    vma = area_of(m, &err);
    if (!vma)
        return err;
    err = m->old_len ? grow_in_place(m, vma) : -EAGAIN;
    if (err != -EAGAIN)
        return err ? err : (s64)m->addr;
    if (!(m->flags & UAPI_MREMAP_MAYMOVE))
        return -ENOMEM;
    s64 to = vma_find_gap(mm, 0, m->new_len, vma->flags, 0);
    return to < 0 ? to : move_area(m, vma, (u64)to);
}

s64 sys_mm_mremap(struct mm *mm, u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
    if (flags & ~(u64)(UAPI_MREMAP_FIXED | UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_DONTUNMAP))
        return -EINVAL;
    if (flags & (UAPI_MREMAP_FIXED | UAPI_MREMAP_DONTUNMAP) && !(flags & UAPI_MREMAP_MAYMOVE))
        return -EINVAL;
    if (flags & UAPI_MREMAP_DONTUNMAP && old_len != new_len)
        return -EINVAL;
    if (addr & ~PAGE_MASK)
        return -EINVAL;
    struct move m = {
        mm, addr, page_align_up(old_len), page_align_up(new_len), flags, new_addr, 0, 0, 0, NULL};
    m.asked_len = m.old_len;
    if (!m.new_len)
        return -EINVAL;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    s64 r = remap_locked(&m);
    mmap_write_unlock(mm);
    if (r >= 0 && m.populate_len)
        mm_populate(mm, m.populate_start, m.populate_len, true);
    return r;
}
