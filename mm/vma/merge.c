/* SPDX-License-Identifier: MIT */
/*
 * Merging: two neighbours that touch and agree in everything become one area.
 *
 *      prev      new       next
 *   [AAAAAAA][AAAAAAAAA][AAAAAA]   ->  one area, prev's struct
 *   [AAAAAAA][AAAAAAAAA][BBBBBB]   ->  prev grows
 *   [BBBBBBB][AAAAAAAAA][AAAAAA]   ->  next grows downwards
 *
 * They agree when flags, backing (ops, file, mapping, priv), name and anon_vma fit and the page offsets run on. Two
 * different anon_vmas never merge: rmap could not find the pages of one of them.
 */
#include <lib/string.h>
#include <mm/rmap.h>
#include <port/log.h>
#include "vma_internal.h"

#define MERGE_IGNORED VM_SOFTDIRTY

static bool same_backing(const struct vma *v, u64 flags, const struct vma_ops *ops, const void *file,
                         const struct address_space *mapping, const void *priv)
{
    return !((v->flags ^ flags) & ~MERGE_IGNORED) && !(flags & (VM_PFNMAP | VM_IO)) && v->ops == ops &&
           v->file == file && v->mapping == mapping && v->priv == priv;
}

bool vma_can_follow(const struct vma *v, const struct vma_request *req, u64 start)
{
    return vma_end(v) == start && same_backing(v, req->flags, req->ops, req->file, req->mapping, req->priv) &&
           !v->name && v->pgoff + vma_pages(v) == req->pgoff;
}

bool vma_can_precede(const struct vma *v, const struct vma_request *req, u64 end)
{
    return vma_start(v) == end && same_backing(v, req->flags, req->ops, req->file, req->mapping, req->priv) &&
           !v->name && req->pgoff + (req->len >> PAGE_SHIFT) == v->pgoff;
}

static bool names_equal(const char *a, const char *b)
{
    return a == b || (a && b && !str_cmp(a, b));
}

static bool can_merge(const struct vma *a, const struct vma *b)
{
    return vma_end(a) == vma_start(b) &&
           same_backing(a, b->flags, b->ops, b->file, b->mapping, b->priv) &&
           (a->anon_vma == b->anon_vma || !a->anon_vma || !b->anon_vma) && names_equal(a->name, b->name) &&
           a->pgoff + vma_pages(a) == b->pgoff;
}

/* can_merge() for good: a first anonymous fault may give either area an anon_vma until both are locked. */
static bool lock_to_merge(struct vma *a, struct vma *b)
{
    if (!can_merge(a, b))
        return false;
    vma_write_lock(a);
    vma_write_lock(b);
    return can_merge(a, b);
}

/* b's addresses join a, which lies right before it; b is freed. Both are write-locked. */
static void absorb_next(struct vma *a, struct vma *b)
{
    struct mm *mm = a->mm;
    u64 end = vma_end(b);
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

struct vma *vma_merge(struct vma *vma)
{
    struct vma *prev = vma_prev(vma), *next = vma_next(vma);
    if (next && lock_to_merge(vma, next))
        absorb_next(vma, next);
    if (prev && lock_to_merge(prev, vma)) {
        absorb_next(prev, vma);
        return prev;
    }
    return vma;
}
