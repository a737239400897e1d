/* SPDX-License-Identifier: MIT */
/*
 * Writing dirty pages back: for fsync, msync and the end of a file. The page loses its mark, then shared mappings lose write
 * permission, then it is written: a store that comes meanwhile faults and makes it dirty again. A fault marks the page under the
 * lock of the entry's table before it installs the entry. So an entry that we do not see comes with a new mark.
 *
 *   dirty ── write_one: mark writeback, unmark dirty ── device ── unmark writeback
 *
 * A sync looks for dirty pages first and waits for those under writeback after: a page that somebody else is writing is
 * found in one state or the other.
 *
 * Locks: page lock around each page's write.
 */
#include <lib/errno.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <mm/pt.h>
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

static int write_one(struct address_space *m, struct page *page)
{
    int err = 0;
    page_lock(page);
    page_wait_writeback(page);
    if (page_mapping(page) != m || !page_test(page, PG_dirty))
        goto out;
    spin_lock(&m->tree_lock);
    if (page_mapping(page) == m && page_test_and_clear(page, PG_dirty)) {
        page_set(page, PG_writeback);
        xa_set_mark(&m->pages, page->index, CACHE_MARK_WRITEBACK); /* before it ceases to be dirty: see above */
        xa_clear_mark(&m->pages, page->index, CACHE_MARK_DIRTY);
        m->nrdirty--;
        stat_node_add(page_node(page), NR_FILE_DIRTY, -1);
    }
    spin_unlock(&m->tree_lock);
    if (!page_test(page, PG_writeback))
        goto out;
    if (page_mapped(page))
        rmap_walk(page, clean_entry, page);
    stat_node_add(page_node(page), NR_WRITEBACK, 1);
    err = m->ops->write_page(m, page);
    stat_node_add(page_node(page), NR_WRITEBACK, -1);
    stat_event(NR_WRITTEN);
    spin_lock(&m->tree_lock);
    if (page_mapping(page) == m)
        xa_clear_mark(&m->pages, page->index, CACHE_MARK_WRITEBACK);
    spin_unlock(&m->tree_lock);
    page_end_writeback(page);
    if (err)
        WRITE_ONCE(m->wb_err, err);
out:
    page_unlock(page);
    return err;
}

/* Calls fn on each page of [index,last] that has the mark, holding a reference. The first error, but goes on to the end. */
static int for_each_marked(struct address_space *m, u64 index, u64 last, enum xa_mark mark,
                           int (*fn)(struct address_space *m, struct page *page))
{
    int result = 0;
    for (;;) {
        rcu_read_lock();
        struct page *page = xa_find_marked(&m->pages, &index, last, mark);
        bool held = page && page_try_get(page);
        rcu_read_unlock();
        if (!page)
            return result;
        if (held) {
            int err = fn(m, page);
            if (err && !result)
                result = err;
            page_put(page);
        }
        if (index >= last)
            return result;
        index++;
    }
}

static int wait_one(struct address_space *m, struct page *page)
{
    page_wait_writeback(page);
    return 0;
}

int cache_sync(struct address_space *m, u64 start, u64 end)
{
    if (!m->ops->write_page || (!READ_ONCE(m->nrdirty) && !xa_marked(&m->pages, CACHE_MARK_WRITEBACK)))
        return 0;
    u64 first = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    int err = for_each_marked(m, first, last, CACHE_MARK_DIRTY, write_one);
    for_each_marked(m, first, last, CACHE_MARK_WRITEBACK, wait_one);
    return err;
}
