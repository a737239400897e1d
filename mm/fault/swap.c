/* SPDX-License-Identifier: MIT */
/*
 * A fault on a swap entry: the page comes back.
 *
 *   swap_in: cached or read ─ page_lock ─ still this slot's? uptodate? ─ pt_lock ─ entry still the same? ─ mapped, one entry less
 *
 *   who else wants the page           read                          write
 *   nobody                            writable if the area is       writable, dirty; the slot is given up
 *   other entries, or mappings        read-only                     read-only; the access comes again and copies (cow.c)
 *
 * A page that was only read keeps its slot while there is plenty, so that it need not be written again. An entry made writable by a
 * read has no D: what is written then sets it, and reclaim learns of it (W4 of mm/swap.h).
 *
 * Locks: see fault.c. The page lock over pt_lock: nobody else maps the page or takes it out of the swap cache meanwhile.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/mlock.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include "fault_internal.h"

/* More than half of swap is in use: a copy there is not worth its slot. */
static bool swap_is_scarce(void)
{
    return swap_free_pages() * 2 < (s64)swap_total_pages();
}

/* The entry for page. exclusive: nobody else has it. pt_lock held. */
static pte_t new_entry(const struct fault *f, struct page *page, bool exclusive)
{
    const struct vma *vma = f->vma;
    u64 bits = (vma->prot & ~PTE_RW) | (f->orig.v & PTE_SWAP_BITS);
    bool write = f->flags & FAULT_WRITE && !(f->flags & FAULT_UNSHARE);
    if (exclusive && vma->flags & VM_WRITE && !pte_uffd_wp(f->orig)) {
        if (write)
            bits |= PTE_RW | PTE_D | PTE_SOFT_DIRTY;
        else if (vma->flags & VM_SOFTDIRTY || f->orig.v & PTE_SOFT_DIRTY)
            bits |= PTE_RW;
    }
    return pte_make(page_to_pfn(page), bits);
}

/* page is locked and the slot's. True: it is mapped now. */
static bool map_page(struct fault *f, struct page *page, swp_entry_t e)
{
    struct page *table = pt_table_page(f->pte);
    pt_lock(table);
    bool same = pte_load(f->pte).v == f->orig.v;
    if (same) {
        swap_free_cached(e);
        /* W3: with the page locked no other entry, and no mapping, can come from it. */
        bool exclusive = !page_mapped(page) && !swap_count(page);
        pte_t now = new_entry(f, page, exclusive);
        rmap_add_swapped(page, f->vma, f->addr);
        rss_add(f->mm, RSS_SWAP, -1);
        rss_add(f->mm, RSS_ANON, 1);
        pt_count(table, RSS_SWAP, -1);
        pt_count(table, RSS_ANON, 1);
        pte_store(f->pte, now);
    }
    pt_unlock(table);
    return same;
}

u32 fault_swap(struct fault *f)
{
    swp_entry_t e = pte_to_swp(f->orig);
    bool waited = false;
    struct page *page = swap_in(e, &waited);
    u32 major = waited ? VM_FAULT_MAJOR : 0, r = 0;
    if (!page)
        return major; /* somebody was faster */
    if (IS_ERR(page))
        return VM_FAULT_OOM;
    page_lock(page);
    if (page_is_swap(page, e) && !page_test(page, PG_uptodate) && swap_reread(page) && page_is_swap(page, e) &&
        !page_test(page, PG_uptodate)) {
        if (pte_load(f->pte).v == f->orig.v)
            r = VM_FAULT_SIGBUS;
    } else if (page_is_swap(page, e) && map_page(f, page, e)) {
        if (f->vma->flags & VM_LOCKED)
            mlock_page(page);
        if (!swap_count(page) && (f->flags & FAULT_WRITE || f->vma->flags & VM_LOCKED || swap_is_scarce()) &&
            !page_test(page, PG_writeback)) {
            /* Its copy on the device goes: what the page holds, it alone holds. */
            swap_remove(page, 0);
        }
    }
    page_unlock(page);
    page_put(page);
    return r | major;
}

u32 fault_swap_in(struct vma *vma, u64 addr)
{
    struct fault f = {.mm = vma->mm, .vma = vma, .addr = addr};
    f.pte = pt_alloc(f.mm, addr);
    if (!f.pte)
        return VM_FAULT_OOM;
    f.orig = pte_load(f.pte);
    return pte_swap(f.orig) ? fault_swap(&f) : 0;
}
