/* SPDX-License-Identifier: MIT */
/*
 * Unmapping: cut at both edges, take the areas out of the tree, empty their entries, free tables that nobody needs.
 *
 *   [AAAA|aaaa][BBBB][CC|cccc]      | = split      a B C leave
 *
 * Order matters (T1, T2 of mm/pt.h): out of the tree first, so that no new fault comes; entries next; then the rmap
 * links; tables after that; frames and tables are freed behind the flush.
 *
 * Locks: mmap_lock for writing.
 */
#include <lib/errno.h>
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/uffd.h>
#include "vma_internal.h"

int vma_split(struct mm *mm, struct vma *vma, u64 addr)
{
    if (vma->ops && vma->ops->may_split) {
        int err = vma->ops->may_split(vma, addr);
        if (err)
            return err;
    }
    u64 end = vma_end(vma);
    struct vma *upper = vma_dup(vma, mm, addr, end);
    if (!upper)
        return -ENOMEM;
    struct rt_node *next = vma->node.next;
    vma_set_bounds(vma, vma_start(vma), addr);
    rt_insert_between(&mm->vmas, &vma->node, next, &upper->node);
    mm->map_count++;
    vma_account(mm, upper->flags, (s64)vma_pages(upper));
    return 0;
}

bool vma_range_sealed(struct mm *mm, u64 start, u64 end)
{
    for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end; v = vma_next(v))
        if (v->flags & VM_SEALED)
            return true;
    return false;
}

int vma_cut_edges(struct mm *mm, u64 start, u64 end, struct vma **first)
{
    struct vma *vma = vma_find(mm, start);
    bool cut = vma && vma_start(vma) < start;
    if (cut && end < vma_end(vma) && mm->map_count >= sysctl_max_map_count)
        return -ENOMEM;
    if (cut) {
        if (vma->flags & VM_SEALED)
            return -EPERM;
        int err = vma_split(mm, vma, start);
        if (err)
            return err;
        vma = vma_next(vma);
    }
    *first = vma;
    if (vma_range_sealed(mm, start, end))
        return -EPERM;
    struct vma *last = vma && vma_start(vma) < end ? vma_find(mm, end - 1) : NULL;
    if (last && vma_start(last) < end && vma_end(last) > end)
        return vma_split(mm, last, end);
    return 0;
}

/* Takes the areas of [.., end) out of the tree and chains them by their rcu heads. */
static struct rcu_head *detach(struct mm *mm, struct vma *vma, u64 end)
{
    struct rcu_head *chain = NULL, **tail = &chain;
    while (vma && vma_start(vma) < end) {
        struct vma *next = vma_next(vma);
        if (vma->flags & VM_LOCKED)
            mm->locked_vm -= vma_pages(vma);
        if (vma->flags & VM_ACCOUNT)
            commit_uncharge(vma_pages(vma));
        vma_remove(mm, vma);
        *tail = &vma->rcu;
        tail = &vma->rcu.next;
        *tail = NULL;
        vma = next;
    }
    return chain;
}

int vma_unmap(struct mm *mm, u64 start, u64 len)
{
    u64 end = start + len;
    struct vma *first;
    int err = pt_own_edges(mm, start, end);
    if (!err && unlikely(mm->has_uffd))
        err = uffd_unmap_prepare(mm, start, end);
    if (err)
        return err;
    err = vma_cut_edges(mm, start, end, &first);
    if (err) {
        first = vma_find(mm, start);
        if (first &&
            err != -EPERM) /* a cut that was made is mended; Linux leaves it there for a seal */
            vma_merge(first);
        return err;
    }
    if (!first || vma_start(first) >= end)
        return 0;
    struct vma *prev = vma_prev(first);
    u64 floor = prev ? vma_end(prev) : 0;
    struct rcu_head *chain = detach(mm, first, end);
    struct vma *next = vma_find(mm, end);
    u64 ceiling = next ? vma_start(next) : mm->task_size;

    struct gather g;
    gather_begin(&g, mm, false);
    g.floor = start;
    g.ceiling = end;
    for (struct rcu_head *h = chain; h; h = h->next) {
        struct vma *vma = container_of(h, struct vma, rcu);
        if (unlikely(vma->flags & VM_LOCKED))
            munlock_range(vma, vma_start(vma), vma_end(vma));
        pt_zap_range(&g, vma, vma_start(vma), vma_end(vma));
    }
    if (g.nr_shared)
        gather_flush(&g); /* S5 in mm/pt/share.c */
    for (struct rcu_head *h = chain; h; h = h->next)
        vma_unlink(container_of(h, struct vma, rcu));
    pt_free_tables(&g, start, end, floor, ceiling);
    gather_end(&g);
    while (chain) {
        struct vma *vma = container_of(chain, struct vma, rcu);
        chain = chain->next;
        vma_free_rcu(vma);
    }
    return 0;
}

void vma_unmap_all(struct mm *mm)
{
    mmap_write_lock(mm);
    struct gather g;
    gather_begin(&g, mm, true);
    for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma)) {
        if (unlikely(vma->flags & VM_LOCKED))
            munlock_range(vma, vma_start(vma), vma_end(vma));
        pt_zap_range(&g, vma, vma_start(vma), vma_end(vma));
    }
    u64 charged = 0;
    struct vma *vma = vma_first(mm);
    for (struct vma *v = vma; v; v = vma_next(v)) {
        if (v->flags & VM_ACCOUNT)
            charged += vma_pages(v);
        vma_unlink(v);
    }
    commit_uncharge(charged);
    if (vma)
        pt_free_tables(&g, 0, mm->task_size, 0, mm->task_size);
    gather_end(&g);
    rt_init(&mm->vmas); /* no reader is left: users is 0 */
    while (vma) {
        struct vma *next = vma_next(vma);
        vma_free(vma);
        vma = next;
    }
    mm->map_count = mm->total_vm = mm->data_vm = mm->exec_vm = mm->stack_vm = mm->locked_vm = 0;
    mmap_write_unlock(mm);
}
