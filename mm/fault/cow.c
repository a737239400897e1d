/* SPDX-License-Identifier: MIT */
/*
 * A write to a page that is mapped read-only.
 *
 *   protected by a userfaultfd               ask it (uffd.c); then as below
 *   shared area                              tell the file, mark dirty, make writable
 *   private, zero page                       a cleared page of our own
 *   private, anonymous, only we refer to it  make writable: the last sharer keeps the page, its copy in swap goes
 *   private, anything else                   copy
 *
 * Invariants
 *  1. An anonymous page whose only reference is this entry's (refcount 1) has no other user, and none can come: fork needs the
 *     same pt_lock, get_user_pages too. The table is the mm's own (pt_alloc made it so), hence the entry is. Nor has a pinned
 *     page one that maps it (N1 in mm/pin.h), and whoever pinned it is to see what is written.
 *  2. When a page is replaced, no CPU may still write to the old one after another can see the new one: the entry is emptied,
 *     flushed and only then filled.
 *
 * Locks: see fault.c. The copy is made outside pt_lock with a reference to the old page.
 */
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/mlock.h>
#include <mm/pin.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include "fault_internal.h"

/* pt_lock held; the entry is f->orig. */
static void make_writable(struct fault *f)
{
    pte_store(f->pte, (pte_t){f->orig.v | PTE_RW | PTE_D | PTE_SOFT_DIRTY | PTE_A});
    mmu_flush_page_local(f->addr); /* others fault once more at worst: a read-only entry does no harm */
}

static u32 shared_write(struct fault *f)
{
    struct page *table = pt_table_page(f->pte), *page = NULL;
    struct address_space *m = f->vma->mapping;
    if (unlikely(pte_uffd_wp(f->orig))) {
        u32 r = fault_uffd_wp(f);
        if (r)
            return r;
    }
    if (m && !pte_special(f->orig)) {
        pt_lock(table);
        if (pte_load(f->pte).v == f->orig.v) {
            page = pfn_to_page(pte_pfn(f->orig));
            page_get(page);
        }
        pt_unlock(table);
        if (!page)
            return 0;
        if (m->ops->page_mkwrite && m->ops->page_mkwrite(m, page)) {
            page_put(page);
            return VM_FAULT_SIGBUS;
        }
    }
    bool dirtied = false;
    pt_lock(table);
    pte_t now = pte_load(f->pte);
    if ((now.v & ~PTE_A) == (f->orig.v & ~PTE_A)) {
        if (page)
            dirtied = cache_set_dirty(page); /* before the entry, under pt_lock: see mm/cache/sync.c */
        make_writable(f);
    }
    pt_unlock(table);
    if (page)
        page_put(page);
    return dirtied && m->bdi ? VM_FAULT_DIRTIED : 0;
}

/* The program has not written: its rights stay as they were, and the copy is clean. pt_lock held. */
static void install_unshared(struct fault *f, struct page *page)
{
    rmap_add_new_anon(page, f->vma, f->addr);
    rss_add(f->mm, RSS_ANON, 1);
    pt_count(pt_table_page(f->pte), RSS_ANON, 1);
    pt_install(f->pte, pte_make(page_to_pfn(page), f->orig.v & ~(PTE_PFN_MASK | PTE_SPECIAL | PTE_D)));
    if (f->vma->flags & VM_LOCKED)
        mlock_page(page);
}

/* Fills f->page's place; the entry must still be f->orig. old: the page that was mapped (referenced by us), NULL for the zero page. */
static bool replace(struct fault *f, struct page *fresh, struct page *old)
{
    struct page *table = pt_table_page(f->pte);
    pt_lock(table);
    pte_t now = pte_load(f->pte);
    if ((now.v & ~PTE_A) != (f->orig.v & ~PTE_A)) {
        pt_unlock(table);
        return false;
    }
    pt_take(f->pte);
    tlb_flush_page(f->mm, f->addr); /* invariant 2 */
    if (old) {
        rss_add(f->mm, page_rss_kind(old), -1);
        pt_count(table, page_rss_kind(old), -1);
        rmap_remove(old);
    }
    if (unlikely(f->flags & FAULT_UNSHARE))
        install_unshared(f, fresh);
    else
        fault_install_anon(f, fresh);
    pt_unlock(table);
    if (old) {
        page_put(old); /* the entry's reference */
        if (unlikely(page_test(old, PG_swapcache)))
            swap_drop_unused(old);
    }
    return true;
}

static u32 copy_page(struct fault *f, struct page *old)
{
    u32 r = VM_FAULT_OOM;
    if (!load_acquire(&f->vma->anon_vma) && anon_vma_prepare(f->vma))
        goto out;
    struct page *fresh = alloc_page(GFP_HIGHUSER_MOVABLE | (old ? 0 : GFP_ZERO));
    if (!fresh)
        goto out;
    if (old)
        mem_copy_page(page_to_virt(fresh), page_to_virt(old));
    stat_event(COW_FAULT);
    r = 0;
    if (!replace(f, fresh, old))
        page_put(fresh);
    else if (old && unlikely(f->vma->flags & VM_LOCKED))
        munlock_page(old, f->vma);
out:
    if (old)
        page_put(old);
    return r;
}

u32 fault_write_protected(struct fault *f)
{
    if (f->vma->flags & VM_SHARED)
        return shared_write(f);
    if (unlikely(f->orig.v & (PTE_SPECIAL | PTE_UFFD_WP))) {
        u32 r = pte_uffd_wp(f->orig) && !(f->flags & FAULT_UNSHARE) ? fault_uffd_wp(f) : 0;
        if (r)
            return r;
        if (pte_special(f->orig))
            return copy_page(f, NULL);
    }

    struct page *table = pt_table_page(f->pte);
    struct page *old = pfn_to_page(pte_pfn(f->orig));
    pt_lock(table);
    pte_t now = pte_load(f->pte);
    if (now.v != f->orig.v && (now.v | PTE_A) != f->orig.v && now.v != (f->orig.v | PTE_A)) {
        pt_unlock(table);
        return 0; /* somebody was faster; the access is tried again */
    }
    if (page_is_anon(old) && (page_exclusive(old) || (page_test(old, PG_swapcache) && swap_try_leave(old) && page_exclusive(old)))) { /* invariant 1 */
        bool write = !(f->flags & FAULT_UNSHARE) && f->vma->flags & VM_WRITE;
        if (write) {
            make_writable(f);
            pt_unlock(table);
            stat_event(COW_REUSE);
            return 0;
        }
        if (f->flags & FAULT_UNSHARE) {
            pt_unlock(table);
            return 0;
        }
    }
    page_get(old);
    pt_unlock(table);
    return copy_page(f, old);
}
