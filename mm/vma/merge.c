/* SPDX-License-Identifier: MIT */
/*
 * Merging: two neighbours that touch and agree in everything become one area.
 *
 *      prev      new       next
 *   [AAAAAAA][AAAAAAAAA][AAAAAA]   ->  one area, prev's struct
 *   [AAAAAAA][AAAAAAAAA][BBBBBB]   ->  prev grows
 *   [BBBBBBB][AAAAAAAAA][AAAAAA]   ->  next grows downwards
 *
 * They agree when flags, backing (ops, file, mapping, priv), name and userfaultfd fit, the page offsets run on, and their anonymous pages go
 * together. For that every area with an anon_vma has an anon_id, so that programs see the areas they see on Linux, where each
 * fork makes an anon_vma of its own for each area:
 *
 *   first anonymous page   a new id with ANON_ID_LONE, or that of a lone neighbour that could be merged with but for its rights
 *   fork                   the child's area has a new id, not lone
 *   split, mremap, merge   the id is kept
 *
 *   changed area   neighbour   merge
 *   none           none        yes
 *   none           some        if the neighbour is lone
 *   some           none        no
 *   some           some        if the ids are the same
 *
 * Areas whose owner keeps them apart (ops->apart: those with a close on Linux) never end by being merged; but what was cut off
 * one of them may join its neighbour on the other side.
 *
 *  G1. Areas with the same id have the same anon_vma, or rmap could not find the pages of one of them.
 */
#include <lib/string.h>
#include <mm/rmap.h>
#include <port/log.h>
#include "vma_internal.h"

#define MERGE_IGNORED VM_SOFTDIRTY

static bool same_backing(const struct vma *v, u64 flags, const struct vma_ops *ops,
                         const void *file, const struct address_space *mapping, const void *priv)
{
    return !((v->flags ^ flags) & ~MERGE_IGNORED) && !(flags & (VM_PFNMAP | VM_IO)) && v->ops == ops && v->file == file && v->mapping == mapping && v->priv == priv;
}

bool vma_stays_apart(const struct vma *v)
{
    return v->ops && v->ops->apart;
}

bool vma_can_follow(const struct vma *v, const struct vma_request *req, u64 start)
{
    return vma_end(v) == start &&
           same_backing(v, req->flags, req->ops, req->file, req->mapping, req->priv) && !v->name &&
           v->pgoff + vma_pages(v) == req->pgoff;
}

bool vma_can_precede(const struct vma *v, const struct vma_request *req, u64 end)
{
    return vma_start(v) == end &&
           same_backing(v, req->flags, req->ops, req->file, req->mapping, req->priv) && !v->name &&
           req->pgoff + (req->len >> PAGE_SHIFT) == v->pgoff;
}

static bool names_equal(const char *a, const char *b)
{
    return a == b || (a && b && !str_cmp(a, b));
}

/* All but the anonymous pages. */
static bool can_merge(const struct vma *a, const struct vma *b)
{
    return vma_end(a) == vma_start(b) &&
           same_backing(a, b->flags, b->ops, b->file, b->mapping, b->priv) &&
           names_equal(a->name, b->name) && a->uffd == b->uffd && a->pgoff + vma_pages(a) == b->pgoff;
}

bool vma_anon_agrees(u64 changed, const struct vma *near)
{
    u64 id = near->anon_id;
    if (changed || !id)
        return changed == id;
    return id & ANON_ID_LONE;
}

bool vma_anon_compatible(const struct vma *a, const struct vma *b)
{
    return a->anon_id == b->anon_id || !a->anon_id || !b->anon_id;
}

void vma_absorb_next(struct vma *a, struct vma *b)
{
    struct mm *mm = a->mm;
    u64 end = vma_end(b);
    ASSERT(!a->anon_vma || !b->anon_vma || a->anon_vma == b->anon_vma); /* G1 */
    if (!a->anon_vma && b->anon_vma)
        anon_vma_clone(a, b);
    if (unlikely(b->flags & ~a->flags & VM_SOFTDIRTY)) {
        WRITE_ONCE(a->flags, a->flags | VM_SOFTDIRTY); /* what b had not watched is dirty still */
        a->prot = b->prot;
    }
    vma_remove(mm, b);
    vma_set_bounds(a, vma_start(a), end);
    vma_unlink(b);
    vma_free_rcu(b);
}

/* A first anonymous fault may give an area an anon_vma until it is locked. */
static bool lock_to_merge(struct vma *vma, struct vma *near)
{
    vma_write_lock(vma);
    vma_write_lock(near);
    return vma_anon_agrees(vma->anon_id, near);
}

void vma_merge_next(struct vma *vma)
{
    struct vma *next = vma_next(vma);
    if (next && !vma_stays_apart(next) && can_merge(vma, next) && lock_to_merge(vma, next))
        vma_absorb_next(vma, next);
}

struct vma *vma_merge_new(struct vma *vma, u64 start, u64 end)
{
    struct vma *prev = vma_prev(vma), *next = vma_next(vma);
    if (prev && vma_start(prev) < end && vma_end(prev) > start)
        prev = NULL;
    if (next && vma_start(next) < end && vma_end(next) > start)
        next = NULL;
    if (prev && !(can_merge(prev, vma) && lock_to_merge(vma, prev)))
        prev = NULL;
    if (next && !(can_merge(vma, next) && lock_to_merge(vma, next)))
        next = NULL;
    if (next && (!prev || (vma_anon_compatible(prev, next) && !vma_stays_apart(next))))
        vma_absorb_next(vma, next);
    if (!prev)
        return vma;
    vma_absorb_next(prev, vma);
    return prev;
}

struct vma *vma_merge(struct vma *vma)
{
    return vma_stays_apart(vma) ? vma : vma_merge_new(vma, 0, 0);
}

struct vma *vma_merge_part(struct vma *vma, bool front, bool back)
{
    if (likely(!vma_stays_apart(vma)))
        return vma_merge_new(vma, 0, 0);
    struct vma *prev = vma_prev(vma), *next = vma_next(vma);
    if (front && !back && next && can_merge(vma, next) && lock_to_merge(vma, next))
        vma_absorb_next(vma, next);
    if (front || !back || !prev || !can_merge(prev, vma) || !lock_to_merge(vma, prev))
        return vma;
    vma_absorb_next(prev, vma);
    return prev;
}
