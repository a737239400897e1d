/* SPDX-License-Identifier: MIT */
/*
 * Writing dirty pages back: for fsync, msync and the end of a file. The page loses its mark, then shared mappings lose write
 * permission, then it is written: a store that comes meanwhile faults and makes it dirty again. A fault marks the page under the
 * lock of the entry's table before it installs the entry, and counts its mapping before that. So an entry that we do not see
 * comes with a new mark.
 *
 *   dirty ── begin_write: mark writeback, unmark dirty ── write_pages ── end_write: unmark writeback
 *
 * A sync looks for dirty pages first and waits for those under writeback after: a page that somebody else is writing is
 * found in one state or the other.
 *
 * Neighbours go to the device together. The first page of a run is waited for; one behind it that somebody else has locked ends the
 * run, so that no two writers wait for each other.
 *
 * Locks: page lock around each page's write.
 */
#include <lib/errno.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <mm/pt.h>
#include <mm/writeback.h>
#include <port/log.h>
#include "cache_internal.h"

/* One area's entry: write permission and dirtiness go; counts entries that were dirty. */
static int clean_entry(void *ctx, struct vma *vma, u64 addr)
{
    struct page *page = ctx;
    if (!(READ_ONCE(vma->flags) & VM_SHARED)) /* this bit never changes */
        return 0; /* private areas never write to a page of the cache, and their tables may be shared */
    pte_t *pte = pt_lock_entry(vma->mm, addr);
    if (!pte)
        return 0;
    struct page *table = pt_table_page(pte);
    bool flush = false;
    pte_t e = pte_load(pte);
    if (pte_mapped(e) && pte_pfn(e) == page_to_pfn(page) && (pte_write(e) || pte_dirty(e))) {
        while (!pte_cmpxchg(pte, &e, (pte_t){e.v & ~(PTE_RW | PTE_D)}))
            ;
        flush = true;
    }
    pt_unlock(table);
    if (flush)
        tlb_flush_page(vma->mm, addr);
    return 0;
}

/* page is locked. False when it has left the mapping or is clean. */
static bool begin_write(struct address_space *m, struct page *page)
{
    bool begun = false;
    if (page_mapping(page) != m || !page_test(page, PG_dirty))
        return false;
    spin_lock(&m->tree_lock);
    if (page_mapping(page) == m && page_test_and_clear(page, PG_dirty)) {
        page_set(page, PG_writeback);
        xa_set_mark(&m->pages, page->index, CACHE_MARK_WRITEBACK); /* before it ceases to be dirty: see above */
        xa_clear_mark(&m->pages, page->index, CACHE_MARK_DIRTY);
        m->nrdirty--;
        stat_node_add(page_node(page), NR_FILE_DIRTY, -1);
        begun = true;
    }
    spin_unlock(&m->tree_lock);
    if (!begun)
        return false;
    stat_node_add(page_node(page), NR_WRITEBACK, 1);
    if (page_mapped(page))
        rmap_walk(page, clean_entry, page);
    return true;
}

/* Write-back of a page, which stays locked, is over. */
static void written(struct address_space *m, struct page *page)
{
    stat_node_add(page_node(page), NR_WRITEBACK, -1);
    spin_lock(&m->tree_lock);
    if (page_mapping(page) == m)
        xa_clear_mark(&m->pages, page->index, CACHE_MARK_WRITEBACK);
    spin_unlock(&m->tree_lock);
    page_end_writeback(page);
}

static void end_write(struct address_space *m, struct page *page)
{
    written(m, page);
    page_unlock(page);
    page_put(page);
}

bool cache_write_page(struct page *page)
{
    struct address_space *m = page_mapping(page);
    if (!m || !m->ops->write_pages || !begin_write(m, page))
        return false;
    page_get(page);
    int err = m->ops->write_pages(m, &page, 1);
    if (err)
        errseq_set(&m->wb_err, err);
    stat_node_add(page_node(page), NR_WRITTEN, 1);
    written(m, page);
    page_put(page);
    return !err;
}

/* The dirty page that is next in the mapping from *index on, referenced, or NULL. */
static struct page *next_marked(struct address_space *m, u64 *index, u64 last, enum xa_mark mark)
{
    for (;;) {
        rcu_read_lock();
        struct page *page = xa_find_marked(&m->pages, index, last, mark);
        bool held = page && page_try_get(page);
        rcu_read_unlock();
        if (!page || held)
            return page;
        if (*index >= last)
            return NULL;
        ++*index; /* on its way out of the cache */
    }
}

/*
 * Collects the next run of dirty neighbours from *index on, at most `most`, each locked, referenced and under writeback. *index: behind
 * the last page looked at. Returns how many; 0 with *index <= last: go on there; *index > last: the end.
 */
static unsigned collect_run(struct address_space *m, u64 *index, u64 last, struct page **run, unsigned most)
{
    unsigned n = 0;
    while (n < most && *index <= last) {
        u64 want = *index;
        struct page *page = next_marked(m, index, last, CACHE_MARK_DIRTY);
        bool fits = page && (!n || *index == want);
        if (!page && !n)
            *index = last + 1;
        if (!fits || (n && !page_try_lock(page))) {
            if (page)
                page_put(page);
            return n;
        }
        if (!n)
            page_lock(page); /* whoever writes a page holds its lock until that is done */
        ++*index;
        if (begin_write(m, page)) {
            run[n++] = page;
            continue;
        }
        page_unlock(page);
        page_put(page);
        if (n)
            return n;
    }
    return n;
}

/* Writes dirty pages of [*index,last], about `most`. The first error, but goes on behind it. */
static int write_range(struct address_space *m, u64 *index, u64 last, u64 most, u64 *written)
{
    struct page *run[WRITE_PAGES_MAX];
    int result = 0;
    while (*index <= last && *written < most) {
        unsigned n = collect_run(m, index, last, run, WRITE_PAGES_MAX);
        if (!n)
            continue;
        int err = m->ops->write_pages(m, run, n);
        if (err) {
            errseq_set(&m->wb_err, err);
            result = result ? result : err;
        }
        for (unsigned i = 0; i < n; i++) {
            stat_node_add(page_node(run[i]), NR_WRITTEN, 1);
            end_write(m, run[i]);
        }
        *written += n;
        if (*written < most)
            sched_cond();
    }
    return result;
}

u64 cache_write_some(struct address_space *m, u64 *index, u64 most)
{
    u64 written = 0;
    write_range(m, index, U32_MAX, most, &written);
    return written;
}

int cache_start_sync(struct address_space *m, u64 start, u64 end)
{
    u64 index = start >> PAGE_SHIFT, written = 0;
    if (!m->ops->write_pages || !READ_ONCE(m->nrdirty))
        return 0;
    return write_range(m, &index, min(end >> PAGE_SHIFT, (u64)U32_MAX), U64_MAX, &written);
}

void cache_wait_sync(struct address_space *m, u64 start, u64 end)
{
    struct page *page;
    u64 index = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    for (; (page = next_marked(m, &index, last, CACHE_MARK_WRITEBACK)); index++) {
        page_wait_writeback(page);
        page_put(page);
        if (index >= last)
            break;
    }
}

int cache_sync(struct address_space *m, u64 start, u64 end)
{
    if (!m->ops->write_pages || (!READ_ONCE(m->nrdirty) && !xa_marked(&m->pages, CACHE_MARK_WRITEBACK)))
        return 0;
    int err = cache_start_sync(m, start, end);
    cache_wait_sync(m, start, end);
    return err;
}
