/* SPDX-License-Identifier: MIT */
/*
 * Finding pages in the cache without locks, and filling those that are missing.
 *
 *   cache_find      RCU: load, take a reference, look again that it is still the page we meant
 *   cache_get       cache_find, or allocate, insert locked, read from the device, unlock
 *
 * Read-ahead: a miss right behind a cached page, or at the start of the file, reads a window of READ_WINDOW pages at once;
 * any other miss reads a few around. Pages that are in flight are locked and not uptodate; who wants one waits for its lock.
 * Without a device, a page that is not uptodate was reserved and is cleared when it is first used.
 *
 * Locks: invalidate_lock for reading around a fill, so that truncation can't meet a half-read page.
 */
#include <lib/errno.h>
#include <mm/lru.h>
#include <mm/stat.h>
#include <port/log.h>
#include <port/mem.h>
#include "cache_internal.h"

#define READ_WINDOW 32
#define READ_RANDOM 4

static struct page *find_any(struct address_space *m, u64 index)
{
    return cache_find_any(m, index);
}

struct page *cache_find(struct address_space *m, u64 index)
{
    struct page *page = find_any(m, index);
    if (page && unlikely(!page_test(page, PG_uptodate))) {
        page_put(page);
        return NULL;
    }
    return page;
}

unsigned cache_find_present(struct address_space *m, u64 index, unsigned n, struct page **out)
{
    unsigned found = 0;
    rcu_read_lock();
    if (!xa_load_batch(&m->pages, index, (void **)out, n)) {
        rcu_read_unlock();
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        struct page *page = out[i];
        if (!page)
            continue;
        out[i] = NULL;
        if (unlikely(xa_is_value(page)))
            continue;
        if (!page_test(page, PG_uptodate) || !page_try_get(page))
            continue;
        if (unlikely(!cache_is_at(page, m, index + i) || !page_test(page, PG_uptodate))) {
            page_put(page);
            continue;
        }
        out[i] = page;
        found++;
    }
    rcu_read_unlock();
    return found;
}

unsigned cache_find_run(struct address_space *m, u64 index, unsigned n, struct page **out)
{
    n = min(n, 64u);
    unsigned i = 0;
    cache_find_present(m, index, n, out);
    while (i < n && out[i])
        i++;
    for (unsigned k = i; k < n; k++)
        if (out[k])
            page_put(out[k]);
    return i;
}

/* A locked page that is not uptodate, inserted. ERR_PTR: -EEXIST, -ENOMEM, -ENOSPC. */
static struct page *insert_new(struct address_space *m, u64 index, gfp_t gfp)
{
    struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE | gfp);
    if (!page)
        return ERR_PTR(-ENOMEM);
    if (unlikely(m->flags & AS_SECRET) && mem_hide_page(page_to_pfn(page))) {
        page_put(page);
        return ERR_PTR(-ENOMEM);
    }
    page_set(page, PG_locked);
    if (gfp & GFP_ZERO)
        page_set(page, PG_uptodate);
    int err = cache_insert(m, index, page);
    if (err) {
        page_clear(page, PG_locked);
        page_clear(page, PG_uptodate);
        if (unlikely(m->flags & AS_SECRET))
            mem_show_page(page_to_pfn(page));
        page_put(page);
        return ERR_PTR(err);
    }
    return page;
}

/* Where to begin and how many pages to read for a miss at index. */
static unsigned read_window(struct address_space *m, u64 index, u64 *first)
{
    u64 pages = DIV_ROUND_UP(READ_ONCE(m->size), PAGE_SIZE);
    bool sequential = index == 0;
    if (!sequential) {
        rcu_read_lock();
        sequential = xa_load(&m->pages, index - 1) != NULL;
        rcu_read_unlock();
    }
    unsigned window = sequential ? READ_WINDOW : READ_RANDOM;
    *first = sequential ? index : ALIGN_DOWN(index, READ_RANDOM);
    if (index >= pages)
        return *first = index, 1;
    return (unsigned)min((u64)window, pages - *first);
}

/*
 * Reads index and its neighbours. Returns the page at index, locked and referenced (uptodate or failed), or ERR_PTR(-EEXIST) when
 * someone else has it. The neighbours are unlocked.
 */
static struct page *read_missing(struct address_space *m, u64 index)
{
    struct page *run[READ_WINDOW], *wanted = NULL;
    u64 first;
    unsigned n = read_window(m, index, &first), got = 0;
    long err = -EEXIST;
    for (u64 i = first; i < first + n; i++) {
        struct page *page = insert_new(m, i, GFP_NOWARN);
        if (!IS_ERR(page)) {
            run[got++] = page;
            if (i == index)
                wanted = page;
            continue;
        }
        if (i == index)
            err = PTR_ERR(page);
        if (i >= index)
            break; /* the run stays one piece, and holds index or stops before it */
        for (unsigned k = 0; k < got; k++) { /* a gap before index: begin anew behind it */
            cache_remove(m, run[k]);
            page_unlock(run[k]);
            page_put(run[k]);
        }
        got = 0;
    }
    if (got)
        m->ops->read_pages(m, run, got);
    for (unsigned k = 0; k < got; k++) {
        if (run[k] == wanted)
            continue;
        if (!page_test(run[k], PG_uptodate))
            cache_remove(m, run[k]);
        page_unlock(run[k]);
        page_put(run[k]);
    }
    return wanted ? wanted : ERR_PTR(err);
}

/* Someone else is reading it: wait, and say whether it turned out well. The reference is kept on success only. */
static int wait_uptodate(struct page *page)
{
    page_lock(page);
    bool good = page_test(page, PG_uptodate);
    page_unlock(page);
    if (good)
        return 0;
    page_put(page);
    return -EAGAIN; /* failed or truncated: the caller finds out by its own try */
}

/* No device behind the mapping: a page of zeros. */
static struct page *get_zeroed(struct address_space *m, u64 index)
{
    struct page *page = insert_new(m, index, GFP_ZERO);
    if (!IS_ERR(page))
        page_unlock(page);
    return page;
}

int cache_reserve(struct address_space *m, u64 index)
{
    struct page *page;
    while (!(page = find_any(m, index))) {
        if (cache_value(m, index))
            return 0; /* in swap */
        down_read(&m->invalidate_lock);
        page = insert_new(m, index, 0);
        up_read(&m->invalidate_lock);
        if (!IS_ERR(page)) {
            page_unlock(page);
            break;
        }
        if (page != ERR_PTR(-EEXIST))
            return (int)PTR_ERR(page);
    }
    cache_set_dirty(page);
    page_put(page);
    return 0;
}

/* The first use of a reserved page. It may have been truncated meanwhile: then the caller looks again. */
static int zero_reserved(struct address_space *m, u64 index, struct page *page)
{
    page_lock(page);
    bool there = cache_is_at(page, m, index);
    if (there && !page_test(page, PG_uptodate)) {
        memset(page_to_virt(page), 0, PAGE_SIZE);
        page_set(page, PG_uptodate);
    }
    page_unlock(page);
    if (there)
        return 0;
    page_put(page);
    return -EAGAIN;
}

struct page *cache_get(struct address_space *m, u64 index, bool *major)
{
    for (;;) {
        struct page *page = find_any(m, index);
        if (page) {
            if (likely(page_test(page, PG_uptodate)))
                return page;
            if (m->ops->read_pages)
                *major = true;
            if (!(m->ops->read_pages ? wait_uptodate(page) : zero_reserved(m, index, page)))
                return page;
            continue;
        }
        if (unlikely(READ_ONCE(m->nrswapped))) {
            void *value = cache_value(m, index);
            int err = value ? shmem_swap_in(m, index, (swp_entry_t){xa_to_value(value)}, major) : 0;
            if (err)
                return ERR_PTR(err);
            if (value)
                continue;
        }
        down_read(&m->invalidate_lock);
        /* The device may still hold what truncation is about to cut off: beyond the end nothing is read. */
        if (!m->ops->read_pages || index >= DIV_ROUND_UP(READ_ONCE(m->size), PAGE_SIZE)) {
            page = get_zeroed(m, index);
        } else {
            *major = true;
            page = read_missing(m, index);
            if (!IS_ERR(page)) {
                bool good = page_test(page, PG_uptodate);
                if (!good)
                    cache_remove(m, page);
                page_unlock(page);
                if (!good) {
                    page_put(page);
                    page = ERR_PTR(-EIO);
                }
            }
        }
        up_read(&m->invalidate_lock);
        if (page != ERR_PTR(-EEXIST))
            return page;
    }
}
