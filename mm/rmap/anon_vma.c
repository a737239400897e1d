/* SPDX-License-Identifier: MIT */
/*
 * anon_vma: the meeting point of an area, its halves and its children, so that a page finds all that may map it.
 *
 *        parent's area ──┐
 *   split-off half ──────┼── anon_vma.vmas       pages: owner = anon_vma | 1
 *        child's area ───┘
 *
 * An area gets its anon_vma with its first anonymous page. It prefers that of a neighbour which it could merge with, so
 * that the two can still become one.
 *
 * Invariants
 *  R1 to R4 of mm/rmap.h, and
 *  A1. refs is the number of areas on the list; an anon_vma of 0 is dead: nobody joins it, the last one out frees it.
 *  A2. vma->anon_vma changes from NULL under the lock of the new anon_vma: who sees it and takes the lock finds the area linked.
 *
 * Locks: anon_vma->lock for list and refs. Looking at a neighbour takes only RCU: areas and anon_vmas are freed after a grace
 * period, and a stale answer costs a merge at worst.
 */
#include <lib/errno.h>
#include <mm/rmap.h>
#include <mm/slab.h>
#include <port/log.h>

static struct slab_cache *anon_vma_cache;
static u64 last_id;

int rmap_boot(void)
{
    anon_vma_cache = slab_cache_create("anon_vma", sizeof(struct anon_vma), 16, 0);
    return anon_vma_cache ? 0 : -ENOMEM;
}

static void free_rcu(struct rcu_head *head)
{
    slab_free(anon_vma_cache, container_of(head, struct anon_vma, rcu));
}

u64 anon_vma_new_id(bool lone)
{
    return __atomic_add_fetch(&last_id, 2, __ATOMIC_RELAXED) | lone;
}

/* With av->lock: true when vma got av, or has one already. False: av is dead. */
static bool join(struct anon_vma *av, struct vma *vma, u64 id)
{
    struct anon_vma *none = NULL;
    if (av->refs == 0)
        return false;
    if (__atomic_compare_exchange_n(&vma->anon_vma, &none, av, false, __ATOMIC_RELEASE,
                                    __ATOMIC_ACQUIRE)) {
        list_add_tail(&vma->anon_link, &av->vmas);
        WRITE_ONCE(vma->anon_id, id);
        av->refs++;
    }
    return true;
}

/* Could a and the area b that begins where a ends be one, but for their rights? */
static bool compatible(const struct vma *a, const struct vma *b)
{
    u64 differ = READ_ONCE(a->flags) ^ READ_ONCE(b->flags);
    return READ_ONCE(a->node.end) == READ_ONCE(b->node.start) &&
           !(differ & ~(VM_ACCESS | VM_SOFTDIRTY)) && a->mapping == b->mapping &&
           a->ops == b->ops && a->file == b->file &&
           READ_ONCE(b->pgoff) ==
               READ_ONCE(a->pgoff) +
                   ((READ_ONCE(a->node.end) - READ_ONCE(a->node.start)) >> PAGE_SHIFT);
}

/* Joins the neighbour's anon_vma if it has one that fits. Under RCU. */
static bool join_neighbour(struct vma *vma, struct rt_node *node, bool before)
{
    if (!node)
        return false;
    struct vma *near = container_of(node, struct vma, node);
    struct anon_vma *av = load_acquire(&near->anon_vma);
    if (!av || !(before ? compatible(near, vma) : compatible(vma, near)))
        return false;
    spin_lock(&av->lock);
    /* Not one that a fork made: children of it would keep pages of this area from being found quickly. */
    u64 id = READ_ONCE(near->anon_id);
    bool joined = id & ANON_ID_LONE && READ_ONCE(near->anon_vma) == av && join(av, vma, id);
    spin_unlock(&av->lock);
    return joined;
}

int anon_vma_prepare(struct vma *vma)
{
    if (likely(load_acquire(&vma->anon_vma)))
        return 0;
    rcu_read_lock();
    bool joined = join_neighbour(vma, READ_ONCE(vma->node.next), false) ||
                  join_neighbour(vma, READ_ONCE(vma->node.prev), true);
    rcu_read_unlock();
    if (joined)
        return 0;

    struct anon_vma *av = slab_alloc(anon_vma_cache, GFP_KERNEL);
    if (!av)
        return -ENOMEM;
    spin_init(&av->lock, RANK_ANON_VMA);
    list_init(&av->vmas);
    av->refs = 1; /* ours while we try */
    spin_lock(&av->lock);
    join(av, vma, anon_vma_new_id(true));
    bool unused = --av->refs == 0;
    spin_unlock(&av->lock);
    if (unused) /* another CPU was faster; nobody has seen ours */
        slab_free(anon_vma_cache, av);
    return 0;
}

void anon_vma_clone(struct vma *dst, struct vma *src)
{
    struct anon_vma *av = src->anon_vma;
    if (!av)
        return;
    ASSERT(!dst->anon_vma);
    spin_lock(&av->lock);
    bool joined = join(av, dst, src->anon_id);
    spin_unlock(&av->lock);
    ASSERT(joined);
}

void anon_vma_unlink(struct vma *vma)
{
    struct anon_vma *av = vma->anon_vma;
    if (!av)
        return;
    spin_lock(&av->lock);
    list_del_init(&vma->anon_link);
    vma->anon_vma = NULL;
    vma->anon_id = 0;
    bool dead = --av->refs == 0;
    spin_unlock(&av->lock);
    if (dead)
        rcu_call(&av->rcu, free_rcu);
}
