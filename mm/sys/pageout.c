/* SPDX-License-Identifier: MIT */
/*
 * MADV_PAGEOUT: what the range maps, and nobody else does, goes to swap now. MADV_COLD: it is among the next to go when memory runs
 * short. And MADV_WILLNEED, which begins to bring it back.
 *
 *   a batch: pages referenced by their entries ── swap_add, rmap_unmap, swap_write of each ── swap_flush ── written ── freed
 *
 * Pages that are locked, pinned or in use by somebody are passed over: it is a hint.
 *
 * Locks: mmap_lock for reading; the page lock of one page at a time, by trying.
 */
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/swap.h>
#include "madvise.h"

struct batch {
    struct mm *mm;
    u64 next; /* where the walk goes on */
    unsigned n;
    struct page *pages[SWAP_IO_PAGES];
};

/* The entry may vanish at any time: the page counts if it is still there once it cannot be freed. */
static int take(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct batch *b = ctx;
    if (level != 1 || !pte_mapped(e) || pte_special(e))
        return 0;
    struct page *page = pfn_to_page(pte_pfn(e));
    if (!page_test(page, PG_lru) || !page_test(page, PG_swapbacked) || page_test(page, PG_unevictable) || !page_try_get(page))
        return 0;
    pte_t *p = pt_find(b->mm, addr);
    if (!p || pte_pfn(pte_load(p)) != pte_pfn(e)) {
        page_put(page);
        return 0;
    }
    b->next = addr + PAGE_SIZE;
    b->pages[b->n++] = page;
    return b->n == ARRAY_SIZE(b->pages);
}

/* Nobody has the page but one entry, the caches and us. */
static bool is_idle(const struct page *page)
{
    s32 caches = (page_mapping(page) ? 1 : 0) + page_test(page, PG_swapcache);
    return READ_ONCE(page->mapcount) == 0 && page_refs(page) == 2 + caches && !page_test(page, PG_writeback);
}

static void start_out(struct page *page, struct swap_plug *plug)
{
    if (!page_try_lock(page))
        return;
    if (is_idle(page) && (page_test(page, PG_swapcache) || !swap_add(page))) {
        rmap_unmap(page);
        swap_write(page, plug);
    }
    page_unlock(page);
}

static void finish_out(struct page *page)
{
    page_wait_writeback(page);
    if (page_test(page, PG_swapcache) && page_try_lock(page)) {
        if (page_test(page, PG_swapcache) && !page_mapped(page) && !page_test(page, PG_writeback))
            swap_remove(page, 0);
        page_unlock(page);
    }
    page_put(page);
}

void madvise_pageout(struct vma *vma, u64 start, u64 end)
{
    struct batch b = {.mm = vma->mm, .next = start};
    bool more = true;
    while (more && b.next < end) {
        struct swap_plug plug = {NULL};
        b.n = 0;
        more = pt_for_each(vma->mm, b.next, end, take, &b);
        for (unsigned i = 0; i < b.n; i++)
            start_out(b.pages[i], &plug);
        swap_flush(&plug);
        for (unsigned i = 0; i < b.n; i++)
            finish_out(b.pages[i]);
        sched_cond();
    }
}

/* ---- MADV_COLD ---- */

struct cool {
    struct mm *mm;
};

/* As take(): a page that nothing else maps forgets that it was used, and leaves the active list. */
static int cool(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct cool *c = ctx;
    u64 vm_flags;
    if (level != 1 || !pte_mapped(e) || pte_special(e))
        return 0;
    struct page *page = pfn_to_page(pte_pfn(e));
    if (!page_test(page, PG_lru) || READ_ONCE(page->mapcount) != 0 || !page_try_get(page))
        return 0;
    pte_t *p = pt_find(c->mm, addr);
    if (p && pte_pfn(pte_load(p)) == pte_pfn(e) && page_try_lock(page)) {
        rmap_referenced(page, &vm_flags);
        page_clear(page, PG_referenced);
        if (page_test(page, PG_active)) {
            page_set(page, PG_workingset);
            lru_deactivate(page);
        }
        page_unlock(page);
    }
    page_put(page);
    return 0;
}

#define COOL_BYTES (1UL << 20) /* between two looks whether somebody waits for the CPU */

void madvise_cold(struct vma *vma, u64 start, u64 end)
{
    struct cool c = {.mm = vma->mm};
    for (u64 next; start < end; start = next) {
        next = min(end, start + COOL_BYTES);
        pt_for_each(vma->mm, start, next, cool, &c);
        sched_cond();
    }
}

/* ---- MADV_WILLNEED ---- */

static int find_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    if (level != 1 || !pte_swap(e))
        return 0;
    *(u64 *)ctx = addr;
    return 1;
}

static void read_tree(struct vma *vma, u64 start, u64 end)
{
    struct address_space *m = vma->mapping;
    if (!m || !READ_ONCE(m->nrswapped))
        return;
    for (u64 i = vma_index(vma, start), last = vma_index(vma, end - PAGE_SIZE); i <= last; i++) {
        void *value = cache_value(m, i);
        if (value)
            swap_read_ahead((swp_entry_t){xa_to_value(value)});
        sched_cond();
    }
}

void madvise_read_swap(struct vma *vma, u64 start, u64 end)
{
    u64 at = start;
    for (u64 from = start; from < end && pt_for_each(vma->mm, from, end, find_entry, &at); from = at + PAGE_SIZE) {
        rcu_read_lock(); /* the table may be shared (T2) */
        pte_t *p = pt_find(vma->mm, at);
        pte_t e = p ? pte_load(p) : (pte_t){0};
        rcu_read_unlock();
        if (pte_swap(e))
            swap_read_ahead(pte_to_swp(e));
        sched_cond();
    }
    read_tree(vma, start, end);
}
