/* SPDX-License-Identifier: MIT */
/*
 * Faults of areas that are registered with a userfaultfd (mm/uffd.h).
 *
 *   nothing there, VM_UFFD_MISSING                  ask
 *   in the cache, no entry, VM_UFFD_MINOR           ask
 *   write to an entry with PTE_UFFD_WP              ask, or with WP_ASYNC take the bit off
 *   PTE_MARKER_WP                                   the page, write-protected; the access then comes again
 *   PTE_MARKER_POISON                               SIGBUS
 *
 * Asking is done under mmap_lock (fault_under_mmap_lock), not under the lock of the area: the leaves answer VM_FAULT_USER | RETRY.
 *
 *   on the list ─ entry still as it was? (U3) ─ mmap_lock released ─ sleep ─ off the list ─ again
 *
 * fault_fill() is the other side: what the monitor brings gets its entry.
 *
 * Locks: see fault.c.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/mlock.h>
#include <mm/phys.h>
#include <mm/rmap.h>
#include <mm/uffd.h>
#include <port/log.h>
#include <port/sched.h>
#include "fault_internal.h"

u32 fault_ask_user(struct fault *f, u64 reason)
{
    const struct uffd *u = f->vma->uffd;
    bool kernel = !(f->flags & FAULT_USER);
    if (f->flags & FAULT_NO_WAIT || uffd_has(u, UAPI_UFFD_FEATURE_SIGBUS) ||
        (kernel && u->flags & UAPI_UFFD_USER_MODE_ONLY) || sched_exiting())
        return VM_FAULT_SIGBUS;
    f->reason = reason;
    return VM_FAULT_USER | VM_FAULT_RETRY;
}

static struct uapi_uffd_msg message(const struct fault *f, u64 addr)
{
    const struct uffd *u = f->vma->uffd;
    struct uapi_uffd_msg msg = {.event = UAPI_UFFD_EVENT_PAGEFAULT};
    msg.pagefault.address = uffd_has(u, UAPI_UFFD_FEATURE_EXACT_ADDRESS) ? addr : f->addr;
    if (f->flags & FAULT_WRITE)
        msg.pagefault.flags |= UAPI_UFFD_PAGEFAULT_WRITE;
    if (f->reason == VM_UFFD_WP)
        msg.pagefault.flags |= UAPI_UFFD_PAGEFAULT_WP;
    if (f->reason == VM_UFFD_MINOR)
        msg.pagefault.flags |= UAPI_UFFD_PAGEFAULT_MINOR;
    if (uffd_has(u, UAPI_UFFD_FEATURE_THREAD_ID))
        msg.pagefault.ptid = (u32)sched_thread_id();
    return msg;
}

/* Has nobody answered since the fault looked? A poisoned page is an answer, too. */
static bool must_wait(const struct fault *f)
{
    pte_t e = pte_load(f->pte);
    return f->reason == VM_UFFD_WP ? pte_uffd_wp(e) : pte_none(e) || e.v == PTE_MARKER_WP;
}

u32 fault_wait_user(struct fault *f, u64 addr, bool write)
{
    struct mm *mm = f->mm;
    struct uffd_wait w;
    struct uapi_uffd_msg msg = message(f, addr);
    bool user = f->flags & FAULT_USER;
    uffd_wait_begin(&w, f->vma->uffd, &msg);
    bool wait = must_wait(f);
    if (write)
        mmap_write_unlock(mm);
    else
        mmap_read_unlock(mm);
    int err = wait ? uffd_wait_sleep(&w, user) : 0;
    uffd_wait_end(&w);
    if (!err)
        return 0;
    return user && !sched_fatal_signal() ? FAULT_INTERRUPTED : VM_FAULT_KILLED;
}

u32 fault_file_uffd(struct fault *f)
{
    const struct vma *vma = f->vma;
    struct address_space *m = vma->mapping;
    if (!(vma->flags & (VM_UFFD_MISSING | VM_UFFD_MINOR)))
        return 0;
    if (f->pgoff >= DIV_ROUND_UP(READ_ONCE(m->size), PAGE_SIZE))
        return VM_FAULT_SIGBUS;
    struct page *page = cache_find(m, f->pgoff);
    u64 reason = page ? VM_UFFD_MINOR : VM_UFFD_MISSING;
    if (page)
        page_put(page);
    return vma->flags & reason ? fault_ask_user(f, reason) : 0;
}

u32 fault_uffd_wp(struct fault *f)
{
    if (!uffd_has(f->vma->uffd, UAPI_UFFD_FEATURE_WP_ASYNC))
        return fault_ask_user(f, VM_UFFD_WP);
    struct page *table = pt_table_page(f->pte);
    u32 r = VM_FAULT_RETRY;
    pt_lock(table);
    pte_t e = pte_load(f->pte);
    while (!((e.v ^ f->orig.v) & ~PTE_A)) {
        pte_t next = {e.v & ~PTE_UFFD_WP};
        if (pte_cmpxchg(f->pte, &e, next)) {
            f->orig = next;
            r = 0;
            break;
        }
    }
    pt_unlock(table);
    return r;
}

/* ---- markers ---- */

static u32 anon_marker(struct fault *f)
{
    u64 bits = (f->vma->prot & ~PTE_RW) | PTE_UFFD_WP;
    struct page *page = NULL, *table = pt_table_page(f->pte);
    if (f->vma->flags & VM_UFFD_MISSING)
        return fault_ask_user(f, VM_UFFD_MISSING);
    if (f->flags & FAULT_WRITE) {
        if (!load_acquire(&f->vma->anon_vma) && anon_vma_prepare(f->vma))
            return VM_FAULT_OOM;
        page = alloc_page(GFP_HIGHUSER_MOVABLE | GFP_ZERO);
        if (!page)
            return VM_FAULT_OOM;
    }
    pt_lock(table);
    bool same = pte_load(f->pte).v == f->orig.v;
    if (same) {
        pt_take(f->pte);
        if (page)
            fault_install_anon_bits(f, page, bits | PTE_D | PTE_SOFT_DIRTY);
        else
            pt_install(f->pte, pte_make(zero_pfn, bits | PTE_SPECIAL));
    }
    pt_unlock(table);
    if (page && !same)
        page_put(page);
    return 0;
}

u32 fault_marker(struct fault *f)
{
    if (f->orig.v == PTE_MARKER_POISON)
        return VM_FAULT_POISON;
    ASSERT(f->orig.v == PTE_MARKER_WP && f->vma->flags & VM_UFFD_WP); /* U5 */
    return vma_is_anon(f->vma) ? anon_marker(f) : fault_file_marker(f);
}

/* ---- filling ---- */

static int install_fill(struct fault *f, struct page *page, enum fault_fill_kind kind, bool wp)
{
    const struct vma *vma = f->vma;
    struct page *table = pt_table_page(f->pte);
    u64 bits = vma->prot;
    bool write = vma->flags & VM_WRITE && !wp;
    switch (kind) {
    case FILL_POISON:
        pt_install(f->pte, (pte_t){PTE_MARKER_POISON});
        return 0;
    case FILL_ZERO:
        pt_install(f->pte, pte_make(zero_pfn, (bits & ~PTE_RW) | PTE_SPECIAL));
        return 0;
    case FILL_CACHED:
        write = write && vma->flags & VM_SHARED;
        break;
    default:
        break;
    }
    bits = (write ? bits | PTE_RW | PTE_D : bits & ~PTE_RW) | PTE_SOFT_DIRTY;
    if (wp)
        bits |= PTE_UFFD_WP;
    if (kind == FILL_ANON) {
        fault_install_anon_bits(f, page, bits | PTE_D);
        return 0;
    }
    if (page_mapping(page) != vma->mapping)
        return -EFAULT; /* truncated meanwhile */
    if (write)
        cache_set_dirty(page);
    rmap_add(page);
    rss_add(f->mm, page_rss_kind(page), 1);
    pt_count(table, page_rss_kind(page), 1);
    pt_install(f->pte, pte_make(page_to_pfn(page), bits));
    if (vma->flags & VM_LOCKED)
        mlock_page(page);
    return 0;
}

static bool beyond_file(const struct vma *vma, u64 addr)
{
    return vma->mapping && vma_index(vma, addr) >= DIV_ROUND_UP(READ_ONCE(vma->mapping->size), PAGE_SIZE);
}

int fault_fill(struct vma *vma, u64 addr, struct page *page, enum fault_fill_kind kind, bool wp)
{
    struct fault f = {.mm = vma->mm, .vma = vma, .addr = addr};
    int err = -ENOMEM;
    f.pte = pt_alloc(f.mm, addr);
    if (!f.pte)
        goto out;
    pt_lock(pt_table_page(f.pte));
    pte_t e = pte_load(f.pte);
    if (beyond_file(vma, addr)) {
        err = -EFAULT;
    } else if (!pte_none(e) && !(page && pte_marker(e))) {
        err = -EEXIST;
    } else {
        if (!pte_none(e))
            pt_take(f.pte);
        err = install_fill(&f, page, kind, wp);
        if (err && !pte_none(e))
            pt_install(f.pte, e);
    }
    pt_unlock(pt_table_page(f.pte));
out:
    if (err && page)
        page_put(page);
    return err;
}
