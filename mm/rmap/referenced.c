/* SPDX-License-Identifier: MIT */
/*
 * Who has used a page through an entry since somebody asked last: the A bits, which are cleared. No TLB is flushed: a CPU that still has
 * the translation may use the page for a while without setting A again, which only makes the answer a little older.
 *
 * Areas that are read in order or at random (MADV_SEQUENTIAL, MADV_RANDOM) don't count: one use there says nothing of the next.
 *
 * Locks: those of rmap_walk(); pt_lock.
 */
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/rmap.h>

struct uses {
    struct page *page;
    u64 vm_flags;
    unsigned entries;
};

static int look_at(void *ctx, struct vma *vma, u64 addr)
{
    struct uses *u = ctx;
    u64 flags = READ_ONCE(vma->flags);
    if (flags & (VM_SEQ_READ | VM_RAND_READ) && !(flags & VM_LOCKED))
        return 0;
    pte_t *p = pt_lock_entry(vma->mm, addr);
    if (!p)
        return 0;
    struct page *table = pt_table_page(p);
    pte_t e = pte_load(p);
    bool hit = pte_mapped(e) && !pte_special(e) && pte_pfn(e) == page_to_pfn(u->page), used = false;
    if (hit && unlikely(flags & VM_LOCKED)) {
        mlock_page(u->page); /* the fault did not reach it while it was isolated */
        u->vm_flags |= VM_LOCKED;
    } else if (hit && pte_young(e)) {
        while (!pte_cmpxchg(p, &e, (pte_t){e.v & ~PTE_A}))
            ;
        used = true;
    }
    pt_unlock(table);
    if (used) {
        u->entries++;
        u->vm_flags |= flags & ~VM_LOCKED;
    }
    return u->vm_flags & VM_LOCKED ? 1 : 0;
}

unsigned rmap_referenced(struct page *page, u64 *vm_flags)
{
    struct uses u = {.page = page};
    rmap_walk(page, look_at, &u);
    *vm_flags = u.vm_flags;
    return u.entries;
}
