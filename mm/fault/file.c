/* SPDX-License-Identifier: MIT */
/*
 * First touch of a page in an area over a page cache (file, shared memory), or of one whose owner answers by ops->fault.
 *
 *   read              fault-around: every page of the 64 KiB window that is in the cache; then, if ours was not, read it
 *   write, private    copy of the cached page
 *   write, shared     page_mkwrite, dirty, writable
 *
 * Against truncation: it first lowers the size, then takes pages out of the cache (owner cleared), then empties page tables.
 * Installing checks owner and size under pt_lock: either truncation's last step finds the entry, or we see that the page left,
 * or that it lies beyond the end (a page that came into the cache after truncation's second step).
 *
 * Locks: see fault.c.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/mlock.h>
#include <mm/readahead.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <port/log.h>
#include "fault_internal.h"

#define FAULT_AROUND_PAGES 16

static u64 file_pages(const struct address_space *m)
{
    return DIV_ROUND_UP(READ_ONCE(m->size), PAGE_SIZE);
}

static inline bool still_cached(const struct page *page, const struct address_space *m, u64 index)
{
    return page_mapping(page) == m && READ_ONCE(page->index) == (u32)index && index < file_pages(m);
}

/* Maps what the cache holds around f->addr, read-only unless the area's prot says otherwise. */
static void fault_around(struct fault *f)
{
    struct vma *vma = f->vma;
    struct address_space *m = vma->mapping;
    /* Linux's window: 16 entries from a multiple of 16, or from where the area begins, within one table. */
    unsigned slot = pt_index(f->addr, 1);
    u64 before = min((u64)slot % FAULT_AROUND_PAGES, (f->addr - vma_start(vma)) >> PAGE_SHIFT);
    u64 first = f->pgoff - before;
    u64 n = min((u64)FAULT_AROUND_PAGES, PT_ENTRIES - (slot - before));
    n = min(n, (vma_end(vma) - (f->addr - (before << PAGE_SHIFT))) >> PAGE_SHIFT);
    u64 size = file_pages(m);
    if (first >= size)
        return;
    n = min(n, size - first); /* our own page may lie beyond the end: the others are mapped all the same */

    struct page *pages[FAULT_AROUND_PAGES];
    unsigned got = cache_find_present(m, first, (unsigned)n, pages);
    if (!got)
        return;
    pte_t *pte = f->pte - before;
    struct page *table = pt_table_page(f->pte);
    enum rss_kind kind = RSS_FILE;
    s64 mapped = 0;
    u32 found = 0;
    pt_lock(table);
    for (u64 i = 0; i < n; i++) {
        struct page *page = pages[i];
        if (!page || unlikely(page_test(page, PG_readahead))) /* a fault of its own starts the next window */
            continue;
        found += !page_test(page, PG_workingset); /* as on Linux: what was read again because memory is short is no hit */
        if (!pte_none(pte_load(&pte[i])) || !still_cached(page, m, first + i))
            continue;
        kind = page_rss_kind(page);
        rmap_add(page);
        u64 bits = i == before ? vma->prot : vma->prot & ~PTE_A;
        pt_install(&pte[i], pte_make(page_to_pfn(page), bits));
        pages[i] = NULL; /* the reference is the entry's now */
        mapped++;
    }
    rss_add(f->mm, kind, mapped);
    pt_count(table, kind, mapped);
    pt_unlock(table);
    if (unlikely(vma->flags & VM_LOCKED)) {
        u64 lo = f->addr - (before << PAGE_SHIFT);
        mlock_range(vma, lo, lo + (n << PAGE_SHIFT));
    }
    for (u64 i = 0; i < n; i++)
        if (pages[i])
            page_put(pages[i]);
    if (m->ops->read_pages && found && vma->ops && vma->ops->readahead)
        ra_fault_hits(vma->ops->readahead(vma), found);
    stat_event_add(FAULT_AROUND, (u64)mapped);
}

/* Gives f->page (referenced, uptodate) its entry, where `was` stands now. Consumes the reference. write: dirty. */
static __always_inline_fn u32 install(struct fault *f, bool write, u64 bits, u64 was)
{
    struct page *page = f->page, *table = pt_table_page(f->pte);
    struct address_space *m = f->vma->mapping;
    u32 r = 0;
    pt_lock(table);
    if (pte_load(f->pte).v != was) {
        pt_unlock(table);
        page_put(page);
        return 0;
    }
    if (m && !still_cached(page, m, f->pgoff)) {
        r = VM_FAULT_RETRY; /* truncated meanwhile: the size decides next time */
        pt_unlock(table);
        page_put(page);
        return r;
    }
    if (unlikely(f->vma->flags & VM_LOCKED) && page_test(page, PG_lru))
        mlock_page(page);
    rmap_add(page); /* first: write-back passes a page over that nobody maps */
    if (m && write)
        r = cache_set_dirty(page) && m->bdi ? VM_FAULT_DIRTIED : 0; /* before the entry, under pt_lock: see mm/cache/sync.c */
    if (was)
        pt_take(f->pte);
    rss_add(f->mm, page_rss_kind(page), 1);
    pt_count(table, page_rss_kind(page), 1);
    pt_install(f->pte, pte_make(page_to_pfn(page), bits));
    pt_unlock(table);
    return r;
}

static u32 install_cached(struct fault *f, bool write)
{
    return install(f, write, f->vma->prot | (write ? PTE_RW | PTE_D | PTE_SOFT_DIRTY : 0), 0);
}

static u32 error_to_fault(long err)
{
    switch (err) {
    case -ENOMEM:
        return VM_FAULT_OOM;
    case -EINTR:
        return VM_FAULT_KILLED;
    default:
        return VM_FAULT_SIGBUS;
    }
}

static struct page *get_cached(struct fault *f, bool *waited)
{
    struct vma *vma = f->vma;
    if (!vma->mapping->ops->read_pages)
        return cache_get(vma->mapping, f->pgoff, waited);
    u64 flags = READ_ONCE(vma->flags);
    enum ra_access how = flags & VM_RAND_READ ? RA_ACCESS_RANDOM : flags & VM_SEQ_READ ? RA_ACCESS_SEQUENTIAL : RA_ACCESS_NORMAL;
    struct file_ra_state *ra = vma->ops && vma->ops->readahead ? vma->ops->readahead(vma) : NULL;
    return ra_fault(vma->mapping, ra, f->pgoff, how, waited);
}

/* f->page: the page of f->pgoff, referenced; *major: a device was waited for. */
static u32 get_page(struct fault *f, u32 *major)
{
    struct vma *vma = f->vma;
    if (vma->ops && vma->ops->fault)
        return vma->ops->fault(f);
    struct address_space *m = vma->mapping;
    bool waited = false;
    if (f->pgoff >= file_pages(m))
        return VM_FAULT_SIGBUS;
    f->page = get_cached(f, &waited);
    if (waited)
        *major = VM_FAULT_MAJOR;
    return IS_ERR(f->page) ? error_to_fault(PTR_ERR(f->page)) : 0;
}

static u32 private_write(struct fault *f)
{
    u32 major = 0;
    if (!load_acquire(&f->vma->anon_vma) && anon_vma_prepare(f->vma))
        return VM_FAULT_OOM;
    u32 r = get_page(f, &major);
    if (r)
        return r | major;
    struct page *fresh = alloc_page(GFP_HIGHUSER_MOVABLE);
    if (!fresh) {
        page_put(f->page);
        return VM_FAULT_OOM | major;
    }
    mem_copy_page(page_to_virt(fresh), page_to_virt(f->page));
    page_put(f->page);
    struct page *table = pt_table_page(f->pte);
    pt_lock(table);
    bool empty = pte_none(pte_load(f->pte));
    bool cut = f->vma->mapping && f->pgoff >= file_pages(f->vma->mapping);
    if (empty && !cut)
        fault_install_anon(f, fresh);
    pt_unlock(table);
    if (!empty || cut) {
        page_put(fresh);
        return major | (cut ? VM_FAULT_RETRY : 0);
    }
    stat_event(COW_FAULT);
    return major;
}

static u32 shared_write(struct fault *f)
{
    u32 major = 0;
    u32 r = get_page(f, &major);
    if (r)
        return r | major;
    struct address_space *m = f->vma->mapping;
    if (m && m->ops->page_mkwrite && m->ops->page_mkwrite(m, f->page)) {
        page_put(f->page);
        return VM_FAULT_SIGBUS | major;
    }
    return install_cached(f, true) | major;
}

/* An area of frames: what its owner answers gets an entry that is not counted, and that no page knows of. */
static u32 frame_fault(struct fault *f)
{
    u32 r = f->vma->ops->fault(f);
    if (r)
        return r;
    struct page *table = pt_table_page(f->pte);
    pt_lock(table);
    if (pte_none(pte_load(f->pte)))
        pt_install(f->pte, pte_make(page_to_pfn(f->page), f->vma->prot | PTE_SPECIAL));
    pt_unlock(table);
    page_put(f->page); /* the owner keeps it as long as there are areas */
    return 0;
}

u32 fault_file(struct fault *f)
{
    u32 r, major = 0;
    f->pgoff = vma_index(f->vma, f->addr);
    if (unlikely(f->vma->flags & VM_PFNMAP))
        return frame_fault(f);
    if (unlikely(f->vma->flags & VM_UFFD)) {
        r = fault_file_uffd(f);
        if (r)
            return r;
    }
    if (f->flags & FAULT_WRITE) {
        r = f->vma->flags & VM_SHARED ? shared_write(f) : private_write(f);
    } else {
        /* As on Linux, System V memory comes page by page. */
        if (f->vma->mapping && !(f->vma->mapping->flags & AS_SYSV) &&
            likely(!(f->vma->flags & (VM_UFFD_WP | VM_UFFD_MINOR)))) {
            fault_around(f);
            if (!pte_none(pte_load(f->pte)))
                return 0;
        }
        r = get_page(f, &major);
        if (!r && major && f->vma->mapping && !(f->vma->flags & (VM_UFFD_WP | VM_UFFD_MINOR))) {
            fault_around(f); /* what came with it */
            if (!pte_none(pte_load(f->pte))) {
                page_put(f->page);
                return major;
            }
        }
        if (!r)
            r = install_cached(f, false);
    }
    return r | major;
}

u32 fault_file_marker(struct fault *f)
{
    u32 major = 0;
    f->pgoff = vma_index(f->vma, f->addr);
    u32 r = fault_file_uffd(f);
    if (!r)
        r = get_page(f, &major);
    if (!r)
        r = install(f, false, (f->vma->prot & ~PTE_RW) | PTE_UFFD_WP, PTE_MARKER_WP);
    return r | major;
}
