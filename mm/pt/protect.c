/* SPDX-License-Identifier: MIT */
/*
 * mprotect on entries that exist: address, A, D and software bits stay, the rights become those of vma->prot.
 *
 *   the area now      entry was writable   entry was not
 *   no access         PROTNONE             PROTNONE
 *   no VM_WRITE       read-only            read-only
 *   private           stays writable       writable when the page is anonymous and nobody else has it
 *   shared            stays writable       writable when vma->prot says so: then nobody asks to be told of the first write
 *
 * Only changes that take a right away need a flush: x86 forgets a translation that faulted.
 *
 * Shared tables were made the mm's own before (pt_own_range).
 *
 * Locks: the area is write-locked; pt_lock per table. The MMU sets A and D meanwhile, so entries change by exchange.
 */
#include "pt_internal.h"
#include <mm/page.h>
#include <mm/pin.h>
#include <port/log.h>

#define KEEP_BITS                                                                                  \
    (PTE_PFN_MASK | PTE_A | PTE_D | PTE_SPECIAL | PTE_UFFD_WP | PTE_SOFT_DIRTY | PTE_PWT | PTE_PCD)

struct protect {
    u64 prot; /* without PTE_RW */
    bool write, shared, prot_rw;
    bool watched; /* the area's writes are: an entry without soft-dirty must fault first */
};

/* May this entry be writable, though it is not? */
static bool can_write(const struct protect *c, pte_t e)
{
    if (e.v & PTE_UFFD_WP || (c->watched && !(e.v & PTE_SOFT_DIRTY)))
        return false;
    if (c->shared)
        return c->prot_rw;
    if (pte_special(e))
        return false;
    const struct page *page = pt_page(e);
    return page_is_anon(page) && page_exclusive(page);
}

static inline pte_t changed(const struct protect *c, pte_t e)
{
    u64 v = (e.v & KEEP_BITS) | c->prot;
    if (c->write && (pte_write(e) || can_write(c, e)))
        v |= PTE_RW;
    return (pte_t){v};
}

/* Does a CPU that still holds the old translation do what the new one forbids? */
static inline bool weaker(pte_t old, pte_t e)
{
    return (old.v & PTE_P) && (((old.v & ~e.v) & (PTE_P | PTE_RW | PTE_US)) ||
                               ((e.v & ~old.v) & PTE_XD) || ((old.v ^ e.v) & PTE_PKEY));
}

static void protect_table(const struct protect *c, pte_t *p, u64 addr, u64 end, u64 *first,
                          u64 *last)
{
    struct page *table = pt_table_page(p);
    pt_lock(table);
    s32 left = table->mapcount;
    for (; left && addr < end; addr += PAGE_SIZE, p++) {
        pte_t e = pte_load(p), n;
        if (pte_none(e))
            continue;
        left--;
        if (unlikely(!pte_mapped(e)))
            continue; /* no page whose rights could change */
        do {
            n = changed(c, e);
        } while (n.v != e.v && !pte_cmpxchg(p, &e, n));
        if (weaker(e, n)) {
            if (!*last)
                *first = addr;
            *last = addr + PAGE_SIZE;
        }
    }
    pt_unlock(table);
}

void pt_protect_range(struct vma *vma, u64 start, u64 end)
{
    struct protect c = {
        .prot = vma->prot & ~(PTE_RW | PTE_PFN_MASK),
        .write = vma->flags & VM_WRITE,
        .shared = vma->flags & VM_SHARED,
        .prot_rw = vma->prot & PTE_RW,
        .watched = !(vma->flags & VM_SOFTDIRTY),
    };
    u64 first = 0, last = 0;
    pte_t *p;

    /* A and D of an entry say what was done, not what the area would like. */
    c.prot &= ~(PTE_A | PTE_D);
    if (!(vma->flags & VM_ACCESS))
        c.prot = PTE_PROTNONE | (c.prot & ~(PTE_P | PTE_US));
    for (u64 addr = start; (p = pt_next_own(vma->mm, &addr, end));) {
        u64 next = pt_step(addr, end, 2);
        protect_table(&c, p, addr, next, &first, &last);
        addr = next;
    }
    if (last)
        tlb_flush_range(vma->mm, first, last);
}
