/* SPDX-License-Identifier: MIT */
/*
 * struct address_space: the pages of one file. Pages enter and leave here and nowhere else.
 *
 *   cache_insert ── tree, owner/index, NR_FILE_PAGES, lruvec, reference ── cache_remove
 *
 * Invariants
 *  C1. A page is in the tree at index i exactly while its owner is the mapping and its index i; the tree holds one reference.
 *  C2. nrpages is the number of pages in the tree; nrdirty those with PG_dirty and CACHE_MARK_DIRTY; nrswapped that of swap
 *      entries, values that stand for pages of shared memory in swap.
 *  C3. Where there is no page, the tree of a file may hold a value, too: the shadow of one that was reclaimed (mm/reclaim/workingset.c).
 *      Whoever looks for a page takes a value for nothing.
 *
 * Locks: tree_lock. Readers: RCU and page_try_get, then the check of owner and index.
 */
#include <lib/errno.h>
#include <mm/lru.h>
#include <mm/reclaim.h>
#include <mm/slab.h>
#include <mm/stat.h>
#include <mm/vma.h>
#include <mm/trace.h>
#include <mm/writeback.h>
#include <port/log.h>
#include <port/task.h>
#include "cache_internal.h"

static struct slab_cache *xa_node_cache;

static void *node_alloc(void)
{
    return slab_alloc(xa_node_cache, GFP_NOWAIT | GFP_NOWARN);
}

static void node_free_callback(struct rcu_head *head)
{
    slab_free(xa_node_cache, head);
}

static void node_free_rcu(void *node)
{
    rcu_call(node, node_free_callback);
}

static const struct xa_ops cache_xa_ops = {.alloc = node_alloc, .free_rcu = node_free_rcu, .note_values = shadow_note_values};
BUILD_ASSERT(sizeof(struct rcu_head) <= 16);

int page_lock_boot(void);

int cache_boot(void)
{
    shmem_swap_boot();
    xa_node_cache = slab_cache_create("radix_tree_node", sizeof(struct xa_node), 8, SLAB_RECLAIM);
    return xa_node_cache ? page_lock_boot() : -ENOMEM;
}

void mapping_init(struct address_space *m, const struct mapping_ops *ops, void *host, u32 flags)
{
    memset(m, 0, sizeof(*m));
    xa_init(&m->pages, &cache_xa_ops);
    spin_init(&m->tree_lock, RANK_CACHE);
    spin_init(&m->i_mmap_lock, RANK_I_MMAP);
    list_init(&m->i_mmap);
    rwsem_init(&m->invalidate_lock, RANK_INVALIDATE);
    list_init(&m->wb_link);
    list_init(&m->swap_link);
    m->ops = ops;
    m->host = host;
    m->flags = flags;
}

void mapping_destroy(struct address_space *m)
{
    ASSERT(list_empty(&m->i_mmap));
    writeback_forget(m);
    cache_remove_range(m, 0, U64_MAX); /* with each page locked: who has one locked may use its mapping */
    shmem_swap_forget(m);
    spin_lock(&m->tree_lock); /* who has evicted the last page is done with m when he gives the lock back */
    spin_unlock(&m->tree_lock);
    ASSERT(m->nrpages == 0 && m->nrswapped == 0); /* C2 */
    xa_destroy(&m->pages);
}

static void account(struct address_space *m, struct page *page, s64 n)
{
    stat_node_add(page_node(page), NR_FILE_PAGES, n);
    if (m->flags & AS_SHMEM)
        stat_node_add(page_node(page), NR_SHMEM, n);
    else if (m->flags & AS_BLOCKDEV)
        stat_node_add(page_node(page), NR_BUFFERS, n);
}

/* One try under tree_lock. */
static int insert_locked(struct address_space *m, u64 index, struct page *page, void **shadow)
{
    spin_lock(&m->tree_lock);
    /* Complete before it can be found: a finder that met another owner would look again and again. */
    WRITE_ONCE(page->index, (u32)index);
    store_release(&page->owner, (u64)(uptr)m);
    int err = xa_insert(&m->pages, index, page);
    if (unlikely(err == -EBUSY) && !(m->flags & AS_SHMEM) && xa_is_value(xa_load(&m->pages, index)))
        err = xa_store(&m->pages, index, page, shadow);
    if (err) {
        WRITE_ONCE(page->owner, 0UL);
    } else {
        page_get(page);
        m->nrpages++;
        if (page_test(page, PG_dirty)) {
            xa_set_mark(&m->pages, index, CACHE_MARK_DIRTY);
            m->nrdirty++;
        }
    }
    spin_unlock(&m->tree_lock);
    return err == -EBUSY ? -EEXIST : err;
}

int cache_insert(struct address_space *m, u64 index, struct page *page)
{
    if (index > U32_MAX)
        return -EFBIG; /* P4 of mm/page.h */
    if (m->ops->reserve) {
        int err = m->ops->reserve(m, 1);
        if (err)
            return err;
    }
    if (m->flags & AS_SHMEM)
        page_set(page, PG_swapbacked);
    if (unlikely(m->flags & AS_UNEVICTABLE))
        page_set(page, PG_unevictable);
    void *shadow = NULL;
    int err = insert_locked(m, index, page, &shadow);
    if (err == -ENOMEM) {
        /* Nodes are allocated under a spinlock and so without sleeping: make one ready and try again. */
        void *node = slab_alloc(xa_node_cache, GFP_KERNEL);
        if (node) {
            slab_free(xa_node_cache, node);
            err = insert_locked(m, index, page, &shadow);
        }
    }
    if (err) {
        if (m->ops->release)
            m->ops->release(m, 1);
        return err;
    }
    account(m, page, 1);
    if (unlikely(shadow) && !page_test(page, PG_dirty))
        workingset_refaulted(page, xa_to_value(shadow));
    lru_add(page);
    if (!(m->flags & AS_SHMEM))
        trace_mm_filemap_add_to_page_cache(m, page);
    return 0;
}

/* The tree forgets a page of its; entry (may be NULL) takes its place. tree_lock held; the tree's reference stays for the caller to drop. */
static void replace_locked(struct address_space *m, struct page *page, void *entry)
{
    u64 index = page->index;
    void *old;
    if (page_test_and_clear(page, PG_dirty)) {
        m->nrdirty--;
        if (m->ops->write_pages)
            stat_node_add(page_node(page), NR_FILE_DIRTY, -1);
    }
    trace_mm_filemap_delete_from_page_cache(m, page);
    int err = xa_store(&m->pages, index, entry, &old); /* needs no memory: there is an entry. A clean page has no marks */
    ASSERT(!err && old == page); /* C1 */
    m->nrpages--;
    store_release(&page->owner, 0UL);
}

static void erase_locked(struct address_space *m, struct page *page)
{
    replace_locked(m, page, NULL);
}

static void has_left(struct address_space *m, struct page *page)
{
    account(m, page, -1);
    if (m->ops->release)
        m->ops->release(m, 1);
    if (unlikely(m->flags & AS_SECRET)) { /* nobody maps it any more: what it held ends here */
        mem_show_page(page_to_pfn(page));
        mem_clear_page(page_to_virt(page));
    }
}

/* ---- shared memory and swap ---- */

void *cache_value(struct address_space *m, u64 index)
{
    rcu_read_lock();
    void *entry = xa_load(&m->pages, index);
    rcu_read_unlock();
    return xa_is_value(entry) ? entry : NULL;
}

bool cache_forget_value(struct address_space *m, u64 index)
{
    spin_lock(&m->tree_lock);
    void *entry = xa_load(&m->pages, index);
    bool there = xa_is_value(entry);
    if (there)
        xa_erase(&m->pages, index);
    if (there && m->flags & AS_SHMEM)
        WRITE_ONCE(m->nrswapped, m->nrswapped - 1);
    spin_unlock(&m->tree_lock);
    if (there && m->flags & AS_SHMEM) {
        swap_free((swp_entry_t){xa_to_value(entry)});
        if (m->ops->release)
            m->ops->release(m, 1);
    }
    return there;
}

int cache_swap_out(struct address_space *m, struct page *page)
{
    u64 index = page->index;
    s32 refs = 3; /* ours, the swap cache's, the caller's */
    spin_lock(&m->tree_lock);
    /* Without references nobody finds it any more, so that nobody can be about to map it. */
    bool ours = __atomic_compare_exchange_n(&page->refcount, &refs, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    bool free = ours && !page_mapped(page);
    if (free) {
        swap_add_entry(page);
        for (int mark = 0; mark < XA_NR_MARKS; mark++)
            xa_clear_mark(&m->pages, index, (enum xa_mark)mark);
        xa_store(&m->pages, index, xa_mk_value(page_swap_entry(page).v), NULL);
        m->nrpages--;
        WRITE_ONCE(m->nrswapped, m->nrswapped + 1);
        m->nrdirty -= page_test(page, PG_dirty);
        WRITE_ONCE(page->owner, 0UL);
    }
    if (ours)
        __atomic_store_n(&page->refcount, free ? 2 : 3, __ATOMIC_RELEASE);
    spin_unlock(&m->tree_lock);
    if (free)
        account(m, page, -1);
    return free ? 0 : -EAGAIN;
}

bool cache_swap_in(struct address_space *m, u64 index, swp_entry_t e, struct page *page)
{
    spin_lock(&m->tree_lock);
    bool there = xa_load(&m->pages, index) == xa_mk_value(e.v);
    if (there) {
        WRITE_ONCE(page->index, (u32)index);
        store_release(&page->owner, (u64)(uptr)m);
        page_get(page);
        page_set(page, PG_dirty);
        xa_store(&m->pages, index, page, NULL);
        xa_set_mark(&m->pages, index, CACHE_MARK_DIRTY);
        m->nrpages++;
        m->nrdirty++;
        WRITE_ONCE(m->nrswapped, m->nrswapped - 1);
        swap_free_cached(e);
    }
    spin_unlock(&m->tree_lock);
    if (there)
        account(m, page, 1);
    return there;
}

/* ---- out ---- */

bool cache_remove(struct address_space *m, struct page *page)
{
    spin_lock(&m->tree_lock);
    if (page_mapping(page) != m) {
        spin_unlock(&m->tree_lock);
        return false;
    }
    erase_locked(m, page);
    spin_unlock(&m->tree_lock);
    has_left(m, page);
    page_put(page);
    return true;
}

bool cache_evict(struct address_space *m, struct page *page)
{
    s32 refs = 2;
    spin_lock(&m->tree_lock);
    bool go = page_mapping(page) == m && __atomic_compare_exchange_n(&page->refcount, &refs, 0, false, __ATOMIC_ACQ_REL,
                                                                     __ATOMIC_RELAXED);
    if (go && (page_test(page, PG_dirty) || page_mapped(page))) {
        __atomic_store_n(&page->refcount, 2, __ATOMIC_RELEASE);
        go = false;
    }
    if (go) {
        account(m, page, -1);
        replace_locked(m, page, xa_mk_value(workingset_evicted(page)));
    }
    spin_unlock(&m->tree_lock); /* m may end from here on */
    return go;
}

bool cache_remove_unused(struct address_space *m, struct page *page)
{
    s32 refs = 2;
    spin_lock(&m->tree_lock);
    /* Without references nobody finds it any more, so that nobody can be about to map it. */
    bool ours = page_mapping(page) == m && __atomic_compare_exchange_n(&page->refcount, &refs, 0, false, __ATOMIC_ACQ_REL,
                                                                       __ATOMIC_RELAXED);
    bool clean = ours && !page_test(page, PG_dirty) && !page_mapped(page);
    if (clean)
        erase_locked(m, page);
    if (ours)
        __atomic_store_n(&page->refcount, clean ? 1 : 2, __ATOMIC_RELEASE);
    spin_unlock(&m->tree_lock);
    if (clean)
        has_left(m, page);
    return clean;
}

bool cache_set_dirty(struct page *page)
{
    if (page_test(page, PG_dirty))
        return false;
    struct address_space *m = page_mapping(page);
    if (!m)
        return false; /* truncated: nobody will want these bytes */
    bool fresh = false;
    spin_lock(&m->tree_lock);
    if (page_mapping(page) == m && !page_test_and_set(page, PG_dirty)) {
        xa_set_mark(&m->pages, page->index, CACHE_MARK_DIRTY);
        m->nrdirty++;
        if (m->ops->write_pages) {
            stat_node_add(page_node(page), NR_FILE_DIRTY, 1);
            stat_node_add(page_node(page), NR_DIRTIED, 1);
            task_account_dirtied(PAGE_SIZE);
            trace_writeback_dirty_folio(m, page);
        }
        if (m->bdi && m->nrdirty == 1)
            writeback_note_dirty(m);
        fresh = true;
    }
    spin_unlock(&m->tree_lock);
    return fresh;
}

const char *mapping_validate(struct address_space *m)
{
    u64 n = 0, dirty = 0, swapped = 0, index;
    void *entry;
    const char *why = NULL;
    spin_lock(&m->tree_lock);
    why = xa_validate(&m->pages);
    xa_for_each(&m->pages, index, entry) {
        struct page *page = entry;
        if (xa_is_value(entry)) {
            swapped += m->flags & AS_SHMEM ? 1 : 0;
            continue;
        }
        n++;
        dirty += page_test(page, PG_dirty);
        if (page_mapping(page) != m || page->index != (u32)index)
            why = "C1: owner or index of a cached page";
        if (page_refs(page) < 1 + page->mapcount + 1)
            why = "P3: fewer references than the cache and the mappings hold";
        if (page_test(page, PG_dirty) != xa_get_mark(&m->pages, index, CACHE_MARK_DIRTY))
            why = "C2: PG_dirty without its mark, or the reverse";
    }
    if (n != m->nrpages || dirty != m->nrdirty || swapped != m->nrswapped)
        why = "C2: nrpages, nrdirty or nrswapped";
    spin_unlock(&m->tree_lock);
    return why;
}

bool vma_is_secret(const struct vma *vma)
{
    return vma->mapping && vma->mapping->flags & AS_SECRET;
}
