/* SPDX-License-Identifier: MIT */
/*
 * A new area. Everything that can fail comes first; then what is in the way is unmapped, and the area is joined to a neighbour
 * or inserted.
 *
 *   limits → place → commit charge → struct → (fixed: unmap) → merge or insert
 *
 * Locks: mmap_lock for writing.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/rmap.h>
#include <mm/shmem.h>
#include "vma_internal.h"

u64 sysctl_max_map_count = 65530;

/* Pages of [start,end) that are mapped already: they don't count against RLIMIT_AS when they are replaced. */
static u64 pages_in_the_way(struct mm *mm, u64 start, u64 end)
{
    u64 n = 0;
    for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end; v = vma_next(v))
        n += (min(end, vma_end(v)) - max(start, vma_start(v))) >> PAGE_SHIFT;
    return n;
}

int vma_place(struct mm *mm, struct vma_request *req)
{
    if (!req->fixed) {
        s64 addr = vma_find_gap(mm, req->addr, req->len, req->flags, req->how);
        if (addr < 0)
            return (int)addr;
        req->addr = (u64)addr;
    } else if (req->len > mm->task_size) {
        return -ENOMEM;
    } else if (req->addr >= (u64)-4095) {
        return (int)req->addr; /* so Linux does: an address that reads as an error is one */
    } else if (req->addr > mm->task_size - req->len) {
        return -ENOMEM;
    } else if (req->addr & ~PAGE_MASK) {
        return -EINVAL;
    }
    if (unlikely(req->addr < sysctl_mmap_min_addr) && vma_may_map_at(req->addr))
        return -EPERM;
    if (req->noreplace) {
        struct vma *v = vma_find(mm, req->addr);
        if (v && vma_start(v) < req->addr + req->len)
            return -EEXIST;
    }
    req->placed = true;
    return 0;
}

/* What grows may have been clean: nobody could tell the new part from what was there before. */
static void mark_soft_dirty(struct vma *vma)
{
    if (likely(vma->flags & VM_SOFTDIRTY))
        return;
    vma_write_lock(vma);
    WRITE_ONCE(vma->flags, vma->flags | VM_SOFTDIRTY);
    vma->prot = vma_page_prot(vma->flags, vma->mapping);
}

/* Grows a neighbour over [start, start+len) if one agrees. True when done; prev and next are joined if both agree. The new
 * part has no anonymous pages (mm/vma/merge.c). */
static bool extend_neighbour(struct mm *mm, const struct vma_request *req, u64 start)
{
    u64 end = start + req->len;
    struct vma *next = vma_find(mm, start);
    struct vma *prev = next            ? vma_prev(next)
                       : mm->vmas.last ? container_of(mm->vmas.last, struct vma, node)
                                       : NULL;
    bool follows = prev && vma_can_follow(prev, req, start),
         precedes = next && vma_can_precede(next, req, end);
    if (likely(!follows && !precedes))
        return false;
    /* Their first anonymous faults would change the answer. */
    if (follows)
        vma_write_lock(prev);
    if (precedes)
        vma_write_lock(next);
    follows = follows && vma_anon_agrees(0, prev);
    precedes = precedes && vma_anon_agrees(0, next);
    if (follows) {
        vma_set_bounds(prev, vma_start(prev), end);
        mark_soft_dirty(prev);
        if (precedes && vma_anon_compatible(prev, next) && !vma_stays_apart(next))
            vma_absorb_next(prev, next);
        return true;
    }
    if (precedes) {
        vma_set_bounds(next, start, vma_end(next));
        mark_soft_dirty(next);
        return true;
    }
    return false;
}

static struct vma *make_area(struct mm *mm, const struct vma_request *req, u64 start)
{
    struct vma *vma = vma_alloc(mm);
    if (!vma)
        return NULL;
    vma->node.start = start;
    vma->node.end = start + req->len;
    vma->flags = req->flags;
    vma->prot = vma_page_prot(req->flags, req->mapping);
    vma->pgoff = req->pgoff;
    vma->mapping = req->mapping;
    vma->ops = req->ops;
    vma->file = req->file;
    vma->priv = req->priv;
    return vma;
}

/* As on Linux, what would have been replaced is cut at the edges even when a limit keeps the new area out. */
static s64 refuse(struct mm *mm, const struct vma_request *req, u64 start, u64 replaced)
{
    struct vma *first;
    if (replaced)
        vma_cut_edges(mm, start, start + req->len, &first);
    return -ENOMEM;
}

s64 vma_map(struct mm *mm, struct vma_request *req)
{
    u64 pages = req->len >> PAGE_SHIFT;
    req->flags |= VM_SOFTDIRTY;
    if (mm->map_count > sysctl_max_map_count)
        return -ENOMEM;
    int err = req->placed ? 0 : vma_place(mm, req);
    if (err)
        return err;
    s64 start = (s64)req->addr;
    if (mm->flags & MMF_MDWE && (req->flags & (VM_WRITE | VM_EXEC)) == (VM_WRITE | VM_EXEC))
        return -EACCES;
    u64 replaced = req->fixed ? pages_in_the_way(mm, (u64)start, (u64)start + req->len) : 0;
    if (replaced && vma_range_sealed(mm, (u64)start, (u64)start + req->len))
        return vma_unmap(mm, (u64)start, req->len); /* -EPERM */
    if (!vma_may_expand(mm, req->flags, pages - replaced))
        return refuse(mm, req, (u64)start, replaced);
    if (!req->mapping && !req->ops && !(req->flags & VM_SHARED))
        req->pgoff = (u64)start >> PAGE_SHIFT;
    bool charged = vma_is_accountable(req->flags);
    if (charged) {
        if (commit_charge(mm, pages))
            return refuse(mm, req, (u64)start, replaced);
        req->flags |= VM_ACCOUNT;
    }
    if (replaced) {
        err = vma_unmap(mm, (u64)start, req->len);
        if (err) {
            if (charged)
                commit_uncharge(pages);
            return err;
        }
    }
    if (!req->apart && extend_neighbour(mm, req, (u64)start))
        return start;
    struct vma *vma = make_area(mm, req, (u64)start);
    if (!vma) {
        if (charged)
            commit_uncharge(pages);
        return -ENOMEM;
    }
    if (vma->ops && vma->ops->open)
        vma->ops->open(vma);
    if (vma->mapping)
        mapping_link_vma(vma->mapping, vma);
    vma_insert(mm, vma);
    return start;
}
