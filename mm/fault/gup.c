/* SPDX-License-Identifier: MIT */
/*
 * User pages for the kernel's own use: get_user_pages, another process's memory, faulting in ahead (populate).
 * Locks: mmap_lock for reading while entries are read; never while a fault is handled.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/pin.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include "fault_internal.h"

/* A forced write may end in a private copy that stays read-only for the program. */
static bool usable(const struct vma *vma, pte_t e, u32 flags)
{
    if (!(flags & FAULT_WRITE) || pte_write(e))
        return true;
    return flags & FAULT_FORCE && !pte_uffd_wp(e) && !(vma->flags & VM_SHARED) && !pte_special(e) &&
           page_is_anon(pfn_to_page(pte_pfn(e))) && pte_dirty(e) &&
           (vma->flags & VM_SOFTDIRTY || e.v & PTE_SOFT_DIRTY) &&
           READ_ONCE(pfn_to_page(pte_pfn(e))->mapcount) == 0;
}


/* The page stays the program's only if nobody else maps it, now or by what its entry allows. pt_lock held. */
static bool must_unshare(const struct vma *vma, bool own, pte_t e, u32 flags)
{
    if ((vma->flags & (VM_SHARED | VM_MAYWRITE)) != VM_MAYWRITE)
        return false;
    const struct page *page = pte_special(e) ? NULL : pfn_to_page(pte_pfn(e));
    if (!page || !page_is_anon(page))
        return flags & PIN_LONGTERM;
    return !own || (!pte_write(e) && !page_exclusive(page));
}

static void pin(struct mm *mm, struct page *page)
{
    if (page == zero_page) {
        page_get(page);
        return;
    }
    if (page_is_anon(page)) { /* N1, N3 */
        __atomic_fetch_or(&mm->flags, MMF_HAS_PINNED, __ATOMIC_RELAXED);
        page_set(page, PG_pinned);
    }
    __atomic_fetch_add(&page->refcount, PIN_BIAS, __ATOMIC_RELAXED);
    stat_node_add(page_node(page), NR_FOLL_PIN_ACQUIRED, 1);
}

/* The page at addr with a reference, or a pin, if its entry allows the access, else NULL. *unshare: it is shared, and a pin was
 * wanted. mmap_lock held. */
static struct page *lookup(struct vma *vma, u64 addr, u32 flags, bool *unshare)
{
    *unshare = false;
    pte_t *pte = pt_lock_entry(vma->mm, addr);
    if (!pte)
        return NULL;
    struct page *table = pt_table_page(pte), *page = NULL;
    pte_t e = pte_load(pte);
    bool own = !vma->mm->shares_tables || pt_state(vma->mm, addr) == PT_OWN;
    if (pte_mapped(e) && (own || !(flags & FAULT_WRITE)) && usable(vma, e, flags)) {
        page = pfn_to_page(pte_pfn(e));
        if (flags & FAULT_WRITE && !pte_special(e) && page_is_anon(page) && !pte_dirty(e))
            __atomic_fetch_or(&pte->v, PTE_D, __ATOMIC_RELAXED); /* W4 of mm/swap.h: a read brought it back, writable */
        if (likely(!(flags & FAULT_PIN))) {
            page_get(page);
            if (flags & FAULT_WRITE && !pte_dirty(e) && !page_is_anon(page) && !pte_special(e))
                cache_set_dirty(page); /* the entry was made writable by a read and may never say so */
        } else if (must_unshare(vma, own, e, flags)) {
            *unshare = true;
            page = NULL;
        } else {
            pin(vma->mm, page);
        }
        if (page && unlikely(flags & FAULT_WRITE && !pte_dirty(e) && !pte_special(e) && page_is_anon(page)))
            pte_store(pte, (pte_t){e.v | PTE_D}); /* a copy that was made to be read, and may be written since */
    }
    pt_unlock(table);
    return page;
}

/* 0 or VM_FAULT_*: stricter than the MMU, for which what can be written can be read. */
static u32 check_access(const struct vma *vma, u32 flags)
{
    if (vma->flags & (VM_IO | VM_PFNMAP) || vma_is_secret(vma))
        return VM_FAULT_ACCERR;
    if (!(flags & (FAULT_WRITE | FAULT_FORCE)) && !(vma->flags & VM_READ))
        return VM_FAULT_ACCERR;
    if (flags & PIN_LONGTERM && flags & FAULT_WRITE && vma->flags & VM_SHARED && vma->mapping &&
        vma->mapping->ops->write_pages)
        return VM_FAULT_ACCERR; /* write-back could not protect it */
    return fault_check_access(vma, flags);
}

/* On success mmap_lock stays held for reading: no fork comes between, so that a page to be written is nobody else's. */
static s64 gup_one_locked(struct mm *mm, u64 addr, u32 flags, struct page **out)
{
    for (;;) {
        mmap_read_lock(mm);
        struct vma *vma = vma_find(mm, addr);
        struct page *page = NULL;
        bool unshare = false;
        u32 denied = VM_FAULT_MAPERR;
        if (vma && vma_start(vma) <= addr) {
            denied = check_access(vma, flags);
            if (!denied)
                page = lookup(vma, addr, flags, &unshare);
        }
        if (page) {
            *out = page;
            return 0;
        }
        mmap_read_unlock(mm);
        if (denied)
            return -EFAULT;
        u32 r = mm_fault(mm, addr, unshare ? (flags & ~FAULT_WRITE) | FAULT_UNSHARE : flags);
        if (r & VM_FAULT_OOM)
            return -ENOMEM;
        if (r & VM_FAULT_ERROR)
            return r & VM_FAULT_KILLED ? -EINTR : r & VM_FAULT_POISON ? -EHWPOISON : -EFAULT;
        sched_count_fault(r & VM_FAULT_MAJOR);
    }
}

s64 gup(struct mm *mm, u64 addr, u64 n, u32 flags, struct page **out)
{
    addr = page_align_down(addr);
    for (u64 i = 0; i < n; i++) {
        s64 err = gup_one_locked(mm, addr + (i << PAGE_SHIFT), flags, &out[i]);
        if (err)
            return i ? (s64)i : err;
        mmap_read_unlock(mm);
    }
    return (s64)n;
}

s64 gup_touched(struct mm *mm, u64 addr, struct page **out)
{
    *out = NULL;
    mmap_read_lock(mm);
    struct vma *vma = vma_find(mm, addr);
    bool in = vma && vma_start(vma) <= addr && !(vma->flags & (VM_IO | VM_PFNMAP));
    bool anon = !in || vma_is_anon(vma), unshare;
    if (in)
        *out = lookup(vma, addr, 0, &unshare);
    pte_t *pte = in && !*out ? pt_lock_entry(mm, addr) : NULL;
    bool swapped = pte && pte_swap(pte_load(pte));
    if (pte)
        pt_unlock(pt_table_page(pte));
    mmap_read_unlock(mm);
    if (*out == zero_page) {
        page_put(*out);
        *out = NULL;
    } else if (!*out && (!anon || swapped)) { /* a file has it, touched or not */
        s64 err = gup(mm, addr, 1, FAULT_FORCE, out);
        if (err < 1)
            *out = NULL;
        return err == -EINTR || err == -ENOMEM ? err : 0;
    }
    return 0;
}

s64 pin_user_pages(struct mm *mm, u64 addr, u64 n, u32 flags, struct page **out)
{
    return gup(mm, addr, n, flags | FAULT_PIN, out);
}

void unpin_user_pages(struct page **pages, u64 n, bool dirty)
{
    for (u64 i = 0; i < n; i++) {
        struct page *page = pages[i];
        if (page == zero_page) {
            page_put(page);
            continue;
        }
        if (dirty && page_mapping(page))
            cache_set_dirty(page);
        stat_node_add(page_node(page), NR_FOLL_PIN_RELEASED, 1);
        if (__atomic_sub_fetch(&page->refcount, PIN_BIAS, __ATOMIC_ACQ_REL) == 0)
            page_free_last(page);
    }
}

/* Access from outside grows a stack to where it begins, as the program itself would. */
static void grow_stack_to(struct mm *mm, u64 addr, u32 flags)
{
    mmap_read_lock(mm);
    const struct vma *vma = vma_find(mm, addr);
    bool below = vma && vma_start(vma) > addr && vma->flags & VM_GROWSDOWN;
    mmap_read_unlock(mm);
    if (unlikely(below))
        mm_fault(mm, addr, flags); /* or refuses: then there is nothing at addr */
}

size_t access_remote(struct mm *mm, u64 addr, void *buf, size_t n, u32 flags)
{
    size_t done = 0;
    flags |= FAULT_REMOTE;
    if (n)
        grow_stack_to(mm, page_align_down(addr), flags);
    while (done < n) {
        struct page *page;
        u64 at = addr + done, off = at & ~PAGE_MASK;
        size_t chunk = min(n - done, (size_t)(PAGE_SIZE - off));
        if (gup_one_locked(mm, page_align_down(at), flags, &page))
            break;
        char *va = (char *)page_to_virt(page) + off;
        if (flags & FAULT_WRITE) {
            memcpy(va, (char *)buf + done, chunk);
            if (page_mapping(page))
                cache_set_dirty(page);
        } else {
            memcpy((char *)buf + done, va, chunk);
        }
        mmap_read_unlock(mm);
        page_put(page);
        done += chunk;
    }
    return done;
}

/* A page was asked for; it counts as a fault unless the entry would do as it was. */
static void count_populated(const struct fault *f, u32 r)
{
    if (!pte_none(f->orig) && (!(f->flags & FAULT_WRITE) || pte_write(f->orig)))
        return;
    stat_event(PGFAULT);
    if (r & VM_FAULT_MAJOR)
        stat_event(PGMAJFAULT);
    sched_count_fault(r & VM_FAULT_MAJOR);
}

/* Faults in [*at, stop) of one area, or as much as there is before a userfaultfd had to be asked: then mmap_lock, which is held
 * for reading, is released and *unlocked. */
static int populate_area(struct vma *vma, u64 *at, u64 stop, bool *unlocked)
{
    u32 flags = (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE ? FAULT_WRITE : 0;
    if (vma->flags & (VM_IO | VM_PFNMAP | VM_LOCKONFAULT)) {
        *at = stop;
        return 0;
    }
    if (!(vma->flags & VM_ACCESS))
        return -EFAULT;
    if (vma_is_secret(vma) || fault_check_access(vma, flags) & VM_FAULT_PKUERR)
        return -EFAULT;
    for (; *at < stop; *at += PAGE_SIZE) {
        struct fault f = {.mm = vma->mm, .vma = vma, .addr = *at, .flags = flags};
        u32 r;
        do
            r = fault_handle(&f);
        while ((r & (VM_FAULT_RETRY | VM_FAULT_USER)) == VM_FAULT_RETRY);
        if (unlikely(r & VM_FAULT_USER)) {
            *unlocked = true;
            return fault_wait_user(&f, *at, false) ? -EINTR : 0;
        }
        count_populated(&f, r);
        if (r & VM_FAULT_ERROR)
            return r & VM_FAULT_OOM ? -ENOMEM : r & VM_FAULT_KILLED ? -EINTR : -EFAULT;
    }
    return 0;
}

#define POPULATE_CHUNK (512 * PAGE_SIZE)

int mm_populate(struct mm *mm, u64 start, u64 len, bool ignore_errors)
{
    u64 pos = start, end = start + len;
    while (pos < end) {
        mmap_read_lock(mm);
        struct vma *vma = vma_find(mm, pos);
        bool unlocked = false;
        int err = -ENOMEM;
        if (!vma || vma_start(vma) >= end) {
            mmap_read_unlock(mm);
            return ignore_errors ? 0 : err;
        }
        if (vma_start(vma) <= pos || ignore_errors) {
            pos = max(pos, vma_start(vma));
            u64 stop = min(min(end, vma_end(vma)), pos + POPULATE_CHUNK), area_end = vma_end(vma);
            err = populate_area(vma, &pos, stop, &unlocked);
            if (err)
                pos = ignore_errors ? area_end : stop;
        }
        if (!unlocked)
            mmap_read_unlock(mm);
        if (err && (!ignore_errors || err == -EINTR))
            return err;
        if (sched_fatal_signal())
            return -EINTR;
        sched_cond();
    }
    return 0;
}
