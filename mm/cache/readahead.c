/* SPDX-License-Identifier: MIT */
/*
 * Windows of readahead, by Linux's rules: the same calls on the same file leave the same pages in the cache.
 *
 *   read() misses          start of the file, right behind the last read, more than a window:  a first window
 *                          behind a run of cached pages longer than the read:                  a window of the run's length
 *                          else:                                                               what was asked for, no more
 *   a marked page is met   where this state's window says:                                     the next window, larger
 *                          elsewhere (readers take turns): behind the pages that are there     a window anew
 *   a fault misses         a window around it, unless the file misses more than it hits
 *
 * Windows begin at 2 to 4 times the request, grow by 2 to 4 times up to ra_pages, and end with the file. Pages that are there
 * already are passed over.
 *
 * Invariants
 *  A1. A page that is not uptodate in a mapping with a device is locked while it is being read; if it is not locked, its read failed,
 *      and the next who wants it takes it out and tries again by itself.
 *
 * Locks: invalidate_lock for reading while pages enter the cache and their reads begin; they stay locked until they are read.
 */
#include <lib/errno.h>
#include <mm/readahead.h>
#include <mm/writeback.h>
#include <port/sched.h>
#include "cache_internal.h"

#define RUN_PAGES      64u /* pages of one request */
#define CHUNK_PAGES    512u /* of a forced readahead in one go: 2 MiB */
#define MMAP_LOTSAMISS 100u

static u32 device_ra_pages(const struct address_space *m)
{
    return m->bdi ? READ_ONCE(m->bdi->ra_pages) : RA_PAGES_DEFAULT;
}

static u32 device_io_pages(const struct address_space *m)
{
    return m->bdi ? m->bdi->io_pages : RA_PAGES_DEFAULT;
}

void ra_init(struct file_ra_state *ra, const struct address_space *m)
{
    *ra = (struct file_ra_state){.ra_pages = device_ra_pages(m), .prev_pos = U64_MAX};
}

/* ---- reading pages ---- */

struct run {
    struct address_space *m;
    struct page *page[RUN_PAGES];
    unsigned n;
    bool nowait; /* only what the device reads by itself */
};

/* Reads the pages of the run, in order. Those that fail leave the cache, at once or when they are next wanted. */
static void run_read(struct run *r)
{
    struct address_space *m = r->m;
    unsigned n = r->n;
    r->n = 0;
    if (!n)
        return;
    bool begun = m->ops->begin_read && m->ops->begin_read(m, r->page, n);
    if (!begun && !r->nowait)
        m->ops->read_pages(m, r->page, n);
    for (unsigned i = 0; i < n; i++) {
        if (!begun) {
            if (!page_test(r->page[i], PG_uptodate))
                cache_remove(m, r->page[i]);
            page_unlock(r->page[i]);
        }
        page_put(r->page[i]);
    }
}

static bool present(struct address_space *m, u64 index)
{
    rcu_read_lock();
    void *entry = xa_load(&m->pages, index);
    rcu_read_unlock();
    return entry && !xa_is_value(entry);
}

/* What is missing of [index, index + n), up to the end of the file; the page `lookahead` before the end is marked. */
static void read_range(struct address_space *m, u64 index, u64 n, u64 lookahead, bool nowait)
{
    struct run r = {.m = m, .nowait = nowait};
    u64 size = READ_ONCE(m->size);
    if (!size || index > (size - 1) >> PAGE_SHIFT)
        return;
    n = min(n, ((size - 1) >> PAGE_SHIFT) - index + 1);
    u64 mark = lookahead <= n ? index + n - lookahead : U64_MAX;
    down_read(&m->invalidate_lock);
    for (u64 i = index; i < index + n; i++) {
        struct page *page = ERR_PTR(-EEXIST);
        if (!present(m, i))
            page = cache_new_page(m, i, GFP_NOWARN | GFP_NORETRY);
        if (page == ERR_PTR(-EEXIST)) {
            run_read(&r);
            continue;
        }
        if (IS_ERR(page))
            break;
        if (i == mark)
            page_set(page, PG_readahead);
        r.page[r.n++] = page;
        if (r.n == RUN_PAGES)
            run_read(&r);
    }
    run_read(&r);
    up_read(&m->invalidate_lock);
}

struct window {
    u64 start;
    u32 size, async_size;
};

/* Threads may read through one state at once: each reads the window it computed, the last one's is kept. */
static void read_window(struct address_space *m, struct file_ra_state *ra, struct window w, bool nowait)
{
    WRITE_ONCE(ra->start, w.start);
    WRITE_ONCE(ra->size, w.size);
    WRITE_ONCE(ra->async_size, w.async_size);
    read_range(m, w.start, w.size, w.async_size, nowait);
}

/* ---- which window ---- */

static u64 max_pages(const struct address_space *m, const struct file_ra_state *ra, u64 request)
{
    u64 most = READ_ONCE(ra->ra_pages), io = device_io_pages(m);
    return request > most && io > most ? min(request, io) : most;
}

static u32 first_size(u64 request, u64 most)
{
    u64 size = 1;
    while (size < request)
        size *= 2;
    if (size <= most / 32)
        return (u32)(size * 4);
    return (u32)(size <= most / 4 ? size * 2 : most);
}

static u32 next_size(u64 size, u64 most)
{
    if (size < most / 16)
        return (u32)(size * 4);
    return (u32)(size <= most / 2 ? size * 2 : most);
}

/* How many pages are there in a row before index, at most `most`; all of them up to the beginning: *whole. */
static u64 cached_before(struct address_space *m, u64 index, u64 most, bool *whole)
{
    u64 n = 0;
    while (n < most && n < index && present(m, index - 1 - n))
        n++;
    *whole = n == index;
    return n == most && !*whole ? n - 1 : n; /* as many as Linux comes to */
}

/* The first index from `index` on, at most `most` further, without a page. */
static u64 first_missing(struct address_space *m, u64 index, u64 most)
{
    u64 n = 0;
    while (n < most && present(m, index + n))
        n++;
    return index + n;
}

void ra_force(struct address_space *m, struct file_ra_state *ra, u64 index, u64 n)
{
    n = min(n, (u64)max(device_io_pages(m), ra->ra_pages));
    while (n && !sched_fatal_signal()) {
        u64 part = min(n, (u64)CHUNK_PAGES);
        read_range(m, index, part, 0, false);
        index += part;
        n -= part;
    }
}

/* A reader of `request` pages found none at index. */
static void miss(struct address_space *m, struct file_ra_state *ra, u64 index, u64 request, bool nowait)
{
    u32 ra_pages = READ_ONCE(ra->ra_pages);
    if (!ra_pages || READ_ONCE(ra->flags) & RA_RANDOM) {
        u64 most = max(device_io_pages(m), ra_pages);
        read_range(m, index, ra_pages ? min(request, most) : 1, 0, nowait);
        return;
    }
    u64 most = max_pages(m, ra, request);
    struct window w = {.start = index};
    if (!index || request > most || index - (READ_ONCE(ra->prev_pos) >> PAGE_SHIFT) <= 1) {
        w.size = first_size(request, most);
        w.async_size = w.size > request ? w.size - (u32)request : w.size / 2;
    } else {
        bool whole;
        u64 before = cached_before(m, index, most, &whole);
        if (before <= request) {
            read_range(m, index, request, 0, nowait); /* alone: the state stays for a stream that it may interrupt */
            return;
        }
        w.size = (u32)min(before * (whole ? 2 : 1) + request, most);
        w.async_size = 1;
    }
    read_window(m, ra, w, nowait);
}

/* A reader of `request` pages came to the marked page at index. */
static void reach_mark(struct address_space *m, struct file_ra_state *ra, struct page *page, u64 index, u64 request, bool nowait)
{
    if (!READ_ONCE(ra->ra_pages) || page_test(page, PG_writeback) || !page_test_and_clear(page, PG_readahead))
        return;
    u64 most = max_pages(m, ra, request);
    struct window w = {READ_ONCE(ra->start), READ_ONCE(ra->size), READ_ONCE(ra->async_size)};
    if (index == w.start + w.size - w.async_size) {
        w.start += w.size;
        w.size = max(w.size, next_size(w.size, most));
    } else {
        w.start = first_missing(m, index + 1, most);
        if (w.start - index > most)
            return;
        w.size = next_size(w.start - index + request, most);
    }
    w.async_size = w.size;
    read_window(m, ra, w, nowait);
}

/* ---- readers and faults ---- */

struct page *ra_get(struct address_space *m, struct file_ra_state *ra, u64 index, u64 end, bool nowait)
{
    struct file_ra_state fresh;
    if (!ra) {
        ra_init(&fresh, m);
        ra = &fresh;
    }
    struct page *page = cache_find_any(m, index);
    if (!page) {
        miss(m, ra, index, end - index, nowait);
        page = cache_find_any(m, index);
    }
    if (page && page_test(page, PG_readahead))
        reach_mark(m, ra, page, index, end - index, nowait);
    if (page) {
        if (page_test(page, PG_uptodate))
            return page;
        if (nowait)
            page_put(page);
        else if (!cache_wait_uptodate(m, page))
            return page;
    }
    bool major;
    return nowait ? ERR_PTR(-EAGAIN) : cache_get(m, index, &major);
}

/* The window around a fault that missed. */
static void fault_miss(struct address_space *m, struct file_ra_state *ra, u64 index, enum ra_access how)
{
    u32 pages = READ_ONCE(ra->ra_pages);
    if (how == RA_ACCESS_RANDOM || !pages)
        return;
    if (how == RA_ACCESS_SEQUENTIAL) {
        miss(m, ra, index, pages, false);
        return;
    }
    u32 misses = READ_ONCE(ra->mmap_miss);
    if (misses < MMAP_LOTSAMISS * 10)
        WRITE_ONCE(ra->mmap_miss, ++misses);
    if (misses > MMAP_LOTSAMISS)
        return;
    read_window(m, ra, (struct window){index > pages / 2 ? index - pages / 2 : 0, pages, pages / 4}, false);
}

static void fault_hit(struct address_space *m, struct file_ra_state *ra, struct page *page, u64 index, enum ra_access how)
{
    u32 pages = READ_ONCE(ra->ra_pages);
    if (how == RA_ACCESS_RANDOM || !pages)
        return;
    u32 misses = READ_ONCE(ra->mmap_miss);
    if (misses)
        WRITE_ONCE(ra->mmap_miss, misses - 1);
    if (page_test(page, PG_readahead))
        reach_mark(m, ra, page, index, pages, false);
}

struct page *ra_fault(struct address_space *m, struct file_ra_state *ra, u64 index, enum ra_access how, bool *major)
{
    struct page *page = cache_find_any(m, index);
    if (page) {
        if (ra)
            fault_hit(m, ra, page, index, how);
    } else {
        *major = true;
        if (ra)
            fault_miss(m, ra, index, how);
        page = cache_find_any(m, index);
    }
    if (page) {
        if (page_test(page, PG_uptodate))
            return page;
        *major = true;
        if (!cache_wait_uptodate(m, page))
            return page;
    }
    return cache_get(m, index, major);
}

void ra_fault_hits(struct file_ra_state *ra, u32 n)
{
    u32 misses = READ_ONCE(ra->mmap_miss);
    if (misses)
        WRITE_ONCE(ra->mmap_miss, misses > n ? misses - n : 0);
}
