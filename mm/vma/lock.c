/* SPDX-License-Identifier: MIT */
/*
 * The lock of one area. Faults are readers; whoever changes the layout (mmap_lock for writing) is the writer.
 *
 *   reader (fault)                       writer (mmap_lock held for writing)
 *   find under RCU                       lock_seq = mm->lock_seq        (full barrier)
 *   readers++          (full barrier)    sleep until readers == 0
 *   lock_seq == mm->lock_seq? → leave    ... change ...
 *   detached, out of bounds? → leave     mmap_write_unlock: mm->lock_seq++ ends all of them
 *
 * Each side writes its word before it reads the other's, so at least one of them sees the other.
 *
 * Invariants: V2 of mm/vma.h. Entry points: vma_lock_find, vma_read_unlock, vma_write_lock.
 */
#include <mm/stat.h>
#include <mm/vma.h>
#include <port/log.h>

struct vma *vma_lock_find(struct mm *mm, u64 addr)
{
    rcu_read_lock();
    struct rt_node *n = rt_find_rcu(&mm->vmas, addr);
    if (!n)
        goto miss;
    struct vma *vma = container_of(n, struct vma, node);
    if (READ_ONCE(vma->lock_seq) == READ_ONCE(mm->lock_seq))
        goto miss;
    __atomic_fetch_add(&vma->readers, 1, __ATOMIC_SEQ_CST);
    if (unlikely(READ_ONCE(vma->lock_seq) == load_acquire(&mm->lock_seq) ||
                 READ_ONCE(vma->detached) || addr < vma->node.start || addr >= vma->node.end)) {
        vma_read_unlock(vma);
        goto miss;
    }
    rcu_read_unlock();
    stat_event(VMA_LOCK_SUCCESS);
    return vma;
miss:
    rcu_read_unlock();
    stat_event(VMA_LOCK_MISS);
    return NULL;
}

void vma_read_unlock(struct vma *vma)
{
    struct mm *mm = vma->mm; /* the area may be freed as soon as readers is 0 */
    s32 left = __atomic_sub_fetch(&vma->readers, 1, __ATOMIC_SEQ_CST);
    if (unlikely(left == 0 && READ_ONCE(mm->vma_waiters)))
        waitq_wake_all(&mm->vma_waitq);
}

void vma_write_lock(struct vma *vma)
{
    struct mm *mm = vma->mm;
    if (vma->lock_seq == mm->lock_seq)
        return;
    __atomic_exchange_n(&vma->lock_seq, mm->lock_seq, __ATOMIC_SEQ_CST);
    if (likely(load_acquire(&vma->readers) == 0)) /* what readers looked at, they looked at before */
        return;
    __atomic_store_n(&mm->vma_waiters, 1, __ATOMIC_SEQ_CST);
    waitq_wait(&mm->vma_waitq, load_acquire(&vma->readers) == 0);
    WRITE_ONCE(mm->vma_waiters, 0); /* one writer per mm: nobody else waits */
}
