/* SPDX-License-Identifier: MIT */
/*
 * First touch of anonymous memory: a read maps the shared zero page, a write a cleared page of its own.
 * Locks: see fault.c. The page is cleared before pt_lock is taken.
 */
#include <mm/lru.h>
#include <mm/mlock.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include "fault_internal.h"

static inline void install(struct fault *f, struct page *page, u64 bits)
{
    rmap_add_new_anon(page, f->vma, f->addr);
    rss_add(f->mm, RSS_ANON, 1);
    pt_count(pt_table_page(f->pte), RSS_ANON, 1);
    pt_install(f->pte, pte_make(page_to_pfn(page), bits));
}

void fault_install_anon_bits(struct fault *f, struct page *page, u64 bits)
{
    install(f, page, bits);
    if (f->vma->flags & VM_LOCKED)
        mlock_page(page);
}

/* The area is locked, or a forced write goes to one that may not be written. */
static __noinline_fn void install_rare(struct fault *f, struct page *page)
{
    u64 flags = f->vma->flags;
    install(f, page, f->vma->prot | PTE_D | PTE_SOFT_DIRTY | (flags & VM_WRITE ? PTE_RW : 0));
    if (flags & VM_LOCKED)
        mlock_page(page);
}

void fault_install_anon(struct fault *f, struct page *page)
{
    if (unlikely((f->vma->flags & (VM_WRITE | VM_LOCKED)) != VM_WRITE))
        install_rare(f, page);
    else
        install(f, page, f->vma->prot | PTE_D | PTE_SOFT_DIRTY | PTE_RW);
}

static u32 map_zero_page(struct fault *f)
{
    struct page *table = pt_table_page(f->pte);
    pt_lock(table);
    if (pte_none(pte_load(f->pte)))
        pt_install(f->pte, pte_make(zero_pfn, (f->vma->prot & ~PTE_RW) | PTE_SPECIAL));
    pt_unlock(table);
    stat_event(ZERO_PAGE_FAULT);
    return 0;
}

u32 fault_anon(struct fault *f)
{
    if (unlikely(f->vma->flags & VM_UFFD_MISSING))
        return fault_ask_user(f, VM_UFFD_MISSING);
    if (!(f->flags & FAULT_WRITE))
        return map_zero_page(f);
    if (unlikely(!load_acquire(&f->vma->anon_vma)) && anon_vma_prepare(f->vma))
        return VM_FAULT_OOM;
    struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE | GFP_ZERO);
    if (unlikely(!page))
        return VM_FAULT_OOM;
    struct page *table = pt_table_page(f->pte);
    pt_lock(table);
    bool empty = pte_none(pte_load(f->pte));
    if (likely(empty))
        fault_install_anon(f, page);
    pt_unlock(table);
    if (unlikely(!empty))
        page_put(page);
    return 0;
}
