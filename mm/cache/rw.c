/* SPDX-License-Identifier: MIT */
/*
 * read() and write() through the cache. No page is locked while user memory is touched: a page is either uptodate, and
 * then copying in or out needs a reference only, or it is made complete before it enters the cache. What lies within one page
 * that is cached, most of all calls, takes a short way.
 *
 * Locks: writers are serialised by the caller (inode lock); none here.
 */
#include <lib/errno.h>
#include <mm/lru.h>
#include <mm/pt.h>
#include <mm/readahead.h>
#include <mm/writeback.h>
#include <port/log.h>
#include <port/sched.h>
#include <port/uaccess.h>
#include "cache_internal.h"

/* One end of a copy: user memory or the kernel's. Both return bytes not copied. */
struct end {
    bool kernel;
    u64 addr;
};

static inline size_t copy_out(const struct end *e, size_t off, const void *src, size_t n)
{
    if (likely(!e->kernel))
        return copy_to_user(e->addr + off, src, n);
    memcpy((void *)(e->addr + off), src, n);
    return 0;
}

static inline size_t copy_in(const struct end *e, size_t off, void *dst, size_t n)
{
    if (likely(!e->kernel))
        return copy_from_user(dst, e->addr + off, n);
    memcpy(dst, (void *)(e->addr + off), n);
    return 0;
}

#define READ_BATCH 32u
#define READY (1u << PG_uptodate | 1u << PG_readahead)

/* The page at index for a reader, complete, and not one where readahead has something to do; or NULL. */
static __always_inline_fn struct page *find_ready(struct address_space *m, u64 index)
{
    struct page *page = cache_find_any(m, index);
    if (likely(page) && likely((READ_ONCE(page->flags) & READY) == 1u << PG_uptodate))
        return page;
    if (page)
        page_put(page);
    return NULL;
}

/* Of memory without a device: nothing was ever written there. */
static bool is_hole(struct address_space *m, u64 index)
{
    rcu_read_lock();
    const void *entry = xa_load(&m->pages, index);
    bool hole = !entry || (!xa_is_value(entry) && !page_test(entry, PG_uptodate));
    rcu_read_unlock();
    return hole;
}

/* What has no device behind it is not filled for a reader: the zero page (without a reference). */
static struct page *page_for_read(struct address_space *m, const struct cache_reader *r, u64 index)
{
    struct page *page = find_ready(m, index);
    if (likely(page))
        return page;
    if (m->ops->read_pages)
        return ra_get(m, r->ra, index, DIV_ROUND_UP(r->end, PAGE_SIZE), r->nowait);
    bool waited = false;
    return page ? page : is_hole(m, index) ? zero_page : cache_get(m, index, &waited);
}

/* Linux's rule: reads that go on within the page where the last one ended count as one. Memory without a device: those from its start on. */
static __always_inline_fn void accessed(struct address_space *m, const struct file_ra_state *ra, struct page *page, u64 pos, u64 last)
{
    bool again = m->flags & AS_SHMEM ? (pos & ~PAGE_MASK) != 0 : (last - 1) >> PAGE_SHIFT == pos >> PAGE_SHIFT;
    if (!again && !lru_is_hot(READ_ONCE(page->flags)) && !(ra && unlikely(READ_ONCE(ra->flags) & RA_NOREUSE)))
        lru_mark_accessed(page);
}

/* Up to n pages from index on that a reader can have as they are, without gaps, referenced. */
static unsigned find_ready_run(struct address_space *m, u64 index, unsigned n, struct page **out)
{
    unsigned i = 0;
    rcu_read_lock();
    n = xa_load_batch(&m->pages, index, (void **)out, n) ? n : 0;
    for (; i < n; i++) {
        struct page *page = out[i];
        if (!page || xa_is_value(page) || (READ_ONCE(page->flags) & READY) != 1u << PG_uptodate || !page_try_get(page))
            break;
        if (unlikely(READ_ONCE(page->owner) != (u64)(uptr)m || READ_ONCE(page->index) != (u32)(index + i))) {
            page_put(page);
            break;
        }
    }
    rcu_read_unlock();
    return i;
}

/* The next pages of a read of n bytes at pos: how many, or 0 and *err. */
static unsigned pages_for_read(struct address_space *m, const struct cache_reader *r, u64 pos, size_t n, struct page **out, long *err)
{
    unsigned want = (unsigned)min(((pos & ~PAGE_MASK) + n + PAGE_SIZE - 1) >> PAGE_SHIFT, (u64)READ_BATCH);
    unsigned got = want > 1 ? find_ready_run(m, pos >> PAGE_SHIFT, want, out) : 0;
    if (got)
        return got;
    out[0] = page_for_read(m, r, pos >> PAGE_SHIFT);
    if (!IS_ERR(out[0]))
        return 1;
    *err = PTR_ERR(out[0]);
    return 0;
}

/* Whole pages, each read from its start, to user memory: consumes their references. Returns how many bytes. */
static size_t copy_whole_pages(struct page **page, unsigned n, u64 dst, bool mark)
{
    size_t done = 0, left = 0;
    for (unsigned i = 0; i < n; i++) {
        struct page *p = page[i];
        if (likely(!left)) {
            left = copy_to_user(dst + done, page_to_virt(p), PAGE_SIZE);
            done += PAGE_SIZE - left;
            if (likely(mark) && !page_test(p, PG_referenced))
                page_set(p, PG_referenced); /* as lru_mark_accessed() */
            else if (likely(mark))
                lru_mark_accessed(p);
        }
        page_put(p);
    }
    return done;
}

ssize_t cache_read_piece(struct address_space *m, const struct cache_reader *r, u64 pos, u64 dst, size_t n)
{
    struct end e = {r->kernel, dst};
    struct page *batch[READ_BATCH];
    u64 size = READ_ONCE(m->size), last = r->ra ? READ_ONCE(r->ra->prev_pos) : U64_MAX;
    if (pos >= size)
        return 0;
    n = min(n, (size_t)(size - pos));
    size_t done = 0;
    long err = 0;
    while (done < n && !err) {
        unsigned got = pages_for_read(m, r, pos + done, n - done, batch, &err);
        unsigned whole = min(got, (unsigned)((n - done) >> PAGE_SHIFT));
        bool again = (last - 1) >> PAGE_SHIFT == (pos + done) >> PAGE_SHIFT; /* see accessed() */
        if (whole > 1 && !r->kernel && !((pos + done) & ~PAGE_MASK) && !again) {
            size_t want = (size_t)whole * PAGE_SIZE;
            size_t copied = copy_whole_pages(batch, whole, dst + done, !r->ra || !(READ_ONCE(r->ra->flags) & RA_NOREUSE));
            err = copied < want ? -EFAULT : 0;
            last = pos + (done += copied);
            memmove(batch, batch + whole, (got - whole) * sizeof(*batch));
            got -= whole;
        }
        for (unsigned i = 0; i < got; i++) {
            u64 at = pos + done, off = at & ~PAGE_MASK;
            size_t chunk = min(n - done, (size_t)(PAGE_SIZE - off)), left = 0;
            if (likely(!err))
                left = copy_out(&e, done, (char *)page_to_virt(batch[i]) + off, chunk);
            if (batch[i] != zero_page) {
                if (likely(!err))
                    accessed(m, r->ra, batch[i], at, last);
                page_put(batch[i]);
            }
            if (unlikely(left))
                err = -EFAULT;
            if (likely(!err) || left)
                last = pos + (done += chunk - left);
        }
        if (unlikely(n - done >= 64 * PAGE_SIZE && sched_fatal_signal()))
            err = -EINTR;
        if (unlikely(done < n))
            sched_cond();
    }
    if (r->ra && done)
        WRITE_ONCE(r->ra->prev_pos, last);
    return done ? (ssize_t)done : err;
}

/* A whole page that is not cached: filled from the writer first, then inserted, complete. 0, bytes left in *left; -EEXIST … */
static long write_fresh_page(struct address_space *m, u64 index, const struct end *e, size_t off, size_t *left)
{
    struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);
    if (!page)
        return -ENOMEM;
    *left = copy_in(e, off, page_to_virt(page), PAGE_SIZE);
    if (*left) {
        page_put(page);
        return -EFAULT; /* the slow way writes what there is */
    }
    page_set(page, PG_uptodate);
    int err = cache_insert(m, index, page);
    if (!err)
        cache_set_dirty(page);
    else
        page_clear(page, PG_uptodate);
    page_put(page);
    return err;
}

/* Writes up to the end of one page. Returns bytes or -errno. */
static ssize_t write_chunk(struct address_space *m, u64 at, const struct end *e, size_t done, size_t chunk)
{
    u64 index = at >> PAGE_SHIFT, off = at & ~PAGE_MASK;
    struct page *page = cache_find(m, index);
    if (!page && chunk == PAGE_SIZE) {
        size_t left;
        long err = write_fresh_page(m, index, e, done, &left);
        if (!err)
            return PAGE_SIZE;
        if (err != -EEXIST && err != -EFAULT)
            return err;
    }
    if (!page) {
        u8 first;
        if (copy_in(e, done, &first, 1))
            return -EFAULT; /* nothing to write: the cache gets no page, mincore and Shmem would tell */
        bool major = false;
        page = cache_get(m, index, &major);
        if (IS_ERR(page))
            return PTR_ERR(page);
    }
    size_t left = copy_in(e, done, (char *)page_to_virt(page) + off, chunk);
    if (left < chunk)
        cache_set_dirty(page);
    page_put(page);
    return left < chunk ? (ssize_t)(chunk - left) : -EFAULT;
}

/* Faults in [from, to) of the source as far as it is there; returns how far that is. */
static size_t touch_source(const struct end *e, size_t from, size_t to)
{
    u8 byte;
    while (from < to && !copy_in(e, from, &byte, 1))
        from += PAGE_SIZE - ((e->addr + from) & ~PAGE_MASK);
    return from;
}

static ssize_t write_from(struct address_space *m, u64 pos, const struct end *e, size_t n)
{
    size_t done = 0, there = 0;
    bool ahead = !e->kernel && m->flags & AS_SHMEM;
    ssize_t r = 0;
    while (done < n) {
        u64 at = pos + done;
        size_t chunk = min(n - done, (size_t)(PAGE_SIZE - (at & ~PAGE_MASK)));
        /*
         * As on Linux, a write to shared memory brings in what is left of its source, up to the next 2 MiB of the file, before
         * each page: a source that is a mapping of the same file shows the order.
         */
        size_t to = min(n, done + PMD_SIZE - (at & ~PMD_MASK));
        if (ahead && there < to)
            there = touch_source(e, max(there, done), to);
        r = write_chunk(m, at, e, done, chunk);
        if (r <= 0)
            break;
        done += (size_t)r;
        if (m->bdi)
            writeback_throttle(m, 1);
        if (pos + done > READ_ONCE(m->size))
            WRITE_ONCE(m->size, pos + done);
        /* A source that ended in the chunk may go on now: it can be a mapping of what was written. The next chunk tells. */
        if (unlikely(done < n)) {
            if (sched_fatal_signal())
                break;
            sched_cond();
        }
    }
    return done ? (ssize_t)done : r;
}

/* Does [pos, pos + n) lie within one page? */
static __always_inline_fn bool in_one_page(u64 pos, size_t n)
{
    return likely(n <= PAGE_SIZE - (pos & ~PAGE_MASK));
}

ssize_t cache_read(struct address_space *m, struct file_ra_state *ra, u64 pos, u64 user_dst, size_t n)
{
    u64 size = READ_ONCE(m->size);
    bool simple = pos < size && n <= size - pos && in_one_page(pos, n) && ra;
    struct page *page = simple ? find_ready(m, pos >> PAGE_SHIFT) : NULL;
    if (likely(page)) {
        size_t left = copy_to_user(user_dst, (char *)page_to_virt(page) + (pos & ~PAGE_MASK), n);
        accessed(m, ra, page, pos, READ_ONCE(ra->prev_pos));
        WRITE_ONCE(ra->prev_pos, pos + n - left);
        page_put(page);
        return unlikely(left) && left == n ? -EFAULT : (ssize_t)(n - left);
    }
    struct cache_reader r = {.ra = ra, .end = pos + n};
    return cache_read_piece(m, &r, pos, user_dst, n);
}

ssize_t cache_write(struct address_space *m, u64 pos, u64 user_src, size_t n)
{
    struct page *page = in_one_page(pos, n) ? cache_find_any(m, pos >> PAGE_SHIFT) : NULL;
    if (likely(page) && likely(page_test(page, PG_uptodate))) {
        size_t left = copy_from_user((char *)page_to_virt(page) + (pos & ~PAGE_MASK), user_src, n);
        size_t done = n - left;
        bool fresh = done && !page_test(page, PG_dirty) && cache_set_dirty(page);
        page_put(page);
        if (unlikely(fresh) && m->bdi)
            writeback_throttle(m, 1);
        if (pos + done > READ_ONCE(m->size))
            WRITE_ONCE(m->size, pos + done);
        return unlikely(left) && !done ? -EFAULT : (ssize_t)done;
    }
    if (page)
        page_put(page);
    struct end e = {false, user_src};
    return write_from(m, pos, &e, n);
}

ssize_t cache_read_kernel(struct address_space *m, u64 pos, void *dst, size_t n)
{
    struct cache_reader r = {.end = pos + n, .kernel = true};
    return cache_read_piece(m, &r, pos, (u64)(uptr)dst, n);
}

ssize_t cache_write_kernel(struct address_space *m, u64 pos, const void *src, size_t n)
{
    struct end e = {true, (u64)(uptr)src};
    return write_from(m, pos, &e, n);
}
