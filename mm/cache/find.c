/* SPDX-License-Identifier: MIT */
/*
 * Finding pages in the cache without locks, and filling those that are missing.
 *
 *   cache_find      RCU: load, take a reference, look again that it is still the page we meant
 *   cache_get       cache_find, or allocate, insert locked, read from the device, unlock: this page alone (more: readahead.c)
 *
 * Pages that are in flight are locked and not uptodate; who wants one waits for its lock. Without a device, a page that is not
 * uptodate was reserved and is cleared when it is first used.
 *
 * Locks: invalidate_lock for reading around a fill, so that truncation can't meet a half-read page.
 */
#include <lib/errno.h>
#include <mm/lru.h>
#include <mm/stat.h>
#include <port/log.h>
#include <port/mem.h>
#include "cache_internal.h"

struct page *cache_find(struct address_space *m, u64 index)
{
    struct page *page = cache_find_any(m, index);
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

void cache_present(struct address_space *m, u64 index, u32 n, u8 *vec)
{
    void *entry[64];
    for (u32 i = 0; i < n; i += 64) {
        u32 part = min(n - i, 64u);
        rcu_read_lock();
        bool any = xa_load_batch(&m->pages, index + i, entry, part);
        for (u32 k = 0; k < part; k++) {
            const struct page *page = any && !xa_is_value(entry[k]) ? entry[k] : NULL;
            vec[i + k] = page && page_test(page, PG_uptodate); /* a glance: it may leave at any time */
        }
        rcu_read_unlock();
    }
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

struct page *cache_new_page(struct address_space *m, u64 index, gfp_t gfp)
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

int cache_wait_uptodate(struct address_space *m, struct page *page)
{
    page_lock(page);
    bool good = page_test(page, PG_uptodate);
    if (!good)
        cache_remove(m, page); /* A1 of readahead.c: its read failed; or truncated */
    page_unlock(page);
    if (good)
        return 0;
    page_put(page);
    return -EAGAIN;
}

/* Reads one missing page. Referenced and unlocked, or ERR_PTR. */
static struct page *read_missing(struct address_space *m, u64 index)
{
    struct page *page = cache_new_page(m, index, 0);
    if (IS_ERR(page))
        return page;
    int err = m->ops->read_pages(m, &page, 1);
    bool good = page_test(page, PG_uptodate);
    if (!good)
        cache_remove(m, page);
    page_unlock(page);
    if (good)
        return page;
    page_put(page);
    return ERR_PTR(err ? err : -EIO);
}

/* No device behind the mapping: a page of zeros. */
static struct page *get_zeroed(struct address_space *m, u64 index)
{
    struct page *page = cache_new_page(m, index, GFP_ZERO);
    if (!IS_ERR(page))
        page_unlock(page);
    return page;
}

int cache_reserve(struct address_space *m, u64 index)
{
    struct page *page;
    while (!(page = cache_find_any(m, index))) {
        if (cache_value(m, index))
            return 0; /* in swap */
        down_read(&m->invalidate_lock);
        page = cache_new_page(m, index, 0);
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
        struct page *page = cache_find_any(m, index);
        if (page) {
            if (likely(page_test(page, PG_uptodate)))
                return page;
            if (m->ops->read_pages)
                *major = true;
            if (!(m->ops->read_pages ? cache_wait_uptodate(m, page) : zero_reserved(m, index, page)))
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
        }
        up_read(&m->invalidate_lock);
        if (page != ERR_PTR(-EEXIST))
            return page;
    }
}
