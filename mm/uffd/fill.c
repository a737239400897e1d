/* SPDX-License-Identifier: MIT */
/*
 * UFFDIO_COPY, ZEROPAGE, CONTINUE, POISON: the pages of a range that the monitor fills, one after another.
 *
 *                 private area                         shared memory, shared
 *   COPY          anonymous page, copied               page into the cache, copied; entry
 *   ZEROPAGE      the zero page                        page of zeros into the cache; entry
 *   CONTINUE      entry for the page in the cache (shared memory only)
 *   POISON        a marker: whoever touches it gets SIGBUS
 *
 * Bytes are copied from the caller's memory before any lock is taken: that may fault, even into a userfaultfd. So each page
 * finds the area anew.
 *
 * Locks: mmap_lock for reading, changing_lock (U4), then as a fault.
 */
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/page.h>
#include <mm/phys.h>
#include <mm/rmap.h>
#include <port/sched.h>
#include <port/uaccess.h>
#include "uffd_internal.h"

struct fill {
    struct uffd *u;
    enum uffd_fill what;
    u64 dst, len;
    bool wp;
};

/* May the range be filled in this area? */
static int check_area(const struct fill *f, const struct vma *vma)
{
    if (!vma || vma_start(vma) > f->dst || f->len > vma_end(vma) - f->dst || !vma->uffd)
        return -ENOENT;
    int err = uffd_fill_lock(f->u);
    if (err)
        return err;
    bool shmem = vma_is_shmem(vma);
    if ((f->wp && !(vma->flags & VM_UFFD_WP)) || (!vma_is_anon(vma) && !shmem) ||
        (f->what == UFFD_FILL_CONTINUE && !shmem))
        err = -EINVAL;
    if (err)
        uffd_fill_unlock(f->u);
    return err;
}

/* The area, with mmap_lock and changing_lock held, or ERR_PTR and nothing held. */
static struct vma *lock_area(const struct fill *f)
{
    struct mm *mm = f->u->mm;
    mmap_read_lock(mm);
    struct vma *vma = vma_find(mm, f->dst);
    int err = check_area(f, vma);
    if (!err && !(vma->flags & VM_SHARED) && !load_acquire(&vma->anon_vma) && anon_vma_prepare(vma)) {
        uffd_fill_unlock(f->u);
        err = -ENOMEM;
    }
    if (err) {
        mmap_read_unlock(mm);
        return ERR_PTR(err);
    }
    return vma;
}

static void unlock_area(const struct fill *f)
{
    uffd_fill_unlock(f->u);
    mmap_read_unlock(f->u->mm);
}

/* A page with the bytes at src, or zeros; NULL and *err. */
static struct page *make_page(const struct fill *f, u64 src, int *err)
{
    bool copy = f->what == UFFD_FILL_COPY;
    struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE | (copy ? 0 : GFP_ZERO));
    *err = page ? 0 : -ENOMEM;
    if (page && copy && copy_from_user(page_to_virt(page), src, PAGE_SIZE)) {
        page_put(page);
        page = NULL;
        *err = -EFAULT;
    }
    return page;
}

/* page, which is ours alone, becomes the file's page at addr. Consumes our reference. */
static int fill_shared(struct vma *vma, u64 addr, struct page *page, bool wp)
{
    struct address_space *m = vma->mapping;
    int err = cache_fill_begin(m, vma_index(vma, addr), page);
    if (!err) {
        page_get(page); /* the entry consumes one, or its failure does */
        err = fault_fill(vma, addr, page, FILL_CACHED, wp);
        cache_fill_end(m, page, !err);
    }
    page_put(page);
    return err;
}

static int fill_continue(struct vma *vma, u64 addr, bool wp)
{
    struct address_space *m = vma->mapping;
    u64 index = vma_index(vma, addr);
    if (index >= DIV_ROUND_UP(READ_ONCE(m->size), PAGE_SIZE))
        return -EINVAL;
    struct page *page = cache_find(m, index);
    return page ? fault_fill(vma, addr, page, FILL_CACHED, wp) : -EFAULT;
}

static int fill_page(const struct fill *f, struct vma *vma, u64 addr, struct page *page)
{
    switch (f->what) {
    case UFFD_FILL_CONTINUE:
        return fill_continue(vma, addr, f->wp);
    case UFFD_FILL_POISON:
        return fault_fill(vma, addr, NULL, FILL_POISON, false);
    default:
        break;
    }
    if (!page)
        return fault_fill(vma, addr, NULL, FILL_ZERO, false);
    return vma->flags & VM_SHARED ? fill_shared(vma, addr, page, f->wp) : fault_fill(vma, addr, page, FILL_ANON, f->wp);
}

/* Does a fill of this area bring a page of its own? */
static bool needs_page(const struct fill *f, const struct vma *vma)
{
    return f->what == UFFD_FILL_COPY || (f->what == UFFD_FILL_ZERO && vma->flags & VM_SHARED);
}

/* One page. The locks of the area are held on entry, and on return unless *vma is NULL. */
static int fill_step(const struct fill *f, struct vma **vma, u64 off, u64 src)
{
    struct page *page = NULL;
    int err = 0;
    if (needs_page(f, *vma)) {
        unlock_area(f);
        *vma = NULL;
        page = make_page(f, src + off, &err);
        if (!page)
            return err;
        struct vma *again = lock_area(f);
        if (IS_ERR(again) || !needs_page(f, again)) {
            page_put(page);
            if (IS_ERR(again))
                return (int)PTR_ERR(again);
            unlock_area(f);
            return -EAGAIN;
        }
        *vma = again;
    }
    return fill_page(f, *vma, f->dst + off, page);
}

s64 uffd_fill(struct uffd *u, enum uffd_fill what, u64 dst, u64 src, u64 len, bool wp)
{
    struct fill f = {u, what, dst, len, wp};
    u64 done = 0;
    if (!mm_try_get(u->mm))
        return -ESRCH;
    struct vma *vma = lock_area(&f);
    int err = 0;
    if (IS_ERR(vma)) {
        err = (int)PTR_ERR(vma);
        vma = NULL;
    }
    while (!err && done < len) {
        err = fill_step(&f, &vma, done, src);
        if (!err)
            done += PAGE_SIZE;
        if (!err && sched_fatal_signal())
            err = -EINTR;
        if (!err)
            sched_cond();
    }
    if (vma)
        unlock_area(&f);
    mm_put(u->mm);
    return done ? (s64)done : err;
}
