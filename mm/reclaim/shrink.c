/* SPDX-License-Identifier: MIT */
/*
 * A batch of victims: each page is freed, or put back.
 *
 *   locked by somebody, used once by a mapping        back, as it was
 *   used again, executable code, unevictable, pinned  back, active
 *   dirty page of a file                              back, active, PG_reclaim: when it is clean it goes to the end of its list.
 *                                                     The flusher writes; kswapd itself only when nothing but dirty pages comes by
 *   under write-back                                  the same
 *   anonymous, shared memory                          gets a slot of swap first; written when dirty; freed once that is done
 *   mapped                                            entries taken away (rmap_unmap), unless that fails
 *   clean, nobody else has a reference                out of the cache (cache_evict), freed
 *
 * Invariants
 *  V1. A page is taken out of its cache, or freed, only with the references of the cache and of its isolator left, and these are
 *      exchanged for 0 at once: a finder without locks (page_try_get) comes before or not at all.
 *  V2. A page with PG_dirty, or with an entry that has D, is never freed: rmap_unmap() passes D on before the references are looked at.
 *
 * Locks: the page lock, tried only; inside it what rmap and the cache take.
 */
#include <mm/cache.h>
#include <mm/pin.h>
#include <mm/rmap.h>
#include <mm/trace.h>
#include <mm/vma.h>
#include <port/log.h>
#include "reclaim_internal.h"

enum verdict { FREED, KEEP, ACTIVATE };
enum use { USE_NONE, USE_CLEAN_ONLY, USE_KEEP, USE_ACTIVATE };

static enum use check_use(struct page *page)
{
    u64 vm_flags = 0;
    bool file = !page_test(page, PG_swapbacked);
    unsigned entries = page_mapped(page) ? rmap_referenced(page, &vm_flags) : 0;
    bool before = page_test(page, PG_referenced) && page_test_and_clear(page, PG_referenced);
    if (unlikely(vm_flags & VM_LOCKED))
        return USE_ACTIVATE;
    if (entries) {
        page_set(page, PG_referenced);
        return before || entries > 1 || (vm_flags & VM_EXEC && file) ? USE_ACTIVATE : USE_KEEP;
    }
    return before && file ? USE_CLEAN_ONLY : USE_NONE;
}

/* True: the page is under write-back and stays. */
static bool note_dirty(struct page *page, struct node *node, const struct scan_control *sc, struct scan_tally *met)
{
    u32 flags = READ_ONCE(page->flags);
    bool writeback = flags & 1u << PG_writeback;
    if (likely(!(flags & (1u << PG_dirty | 1u << PG_writeback))) || (flags & 1u << PG_swapbacked && !writeback))
        return false;
    met->dirty++;
    if (!writeback) {
        const struct address_space *m = page_mapping(page);
        met->unqueued_dirty++;
        met->bdi = m ? m->bdi : NULL;
        return false;
    }
    if (flags & 1u << PG_reclaim) {
        met->congested++;
        if (sc->kswapd && node_flag(node, NODE_WRITEBACK)) {
            met->immediate++;
            return true;
        }
    }
    page_set(page, PG_reclaim);
    met->writeback++;
    return true;
}

/* A dirty, unmapped page of a file. KEEP, ACTIVATE, or FREED: it is clean now and still locked. */
static enum verdict clean_file(struct page *page, struct node *node, const struct scan_control *sc, enum use use,
                               struct shrink_result *r)
{
    if (!sc->kswapd || !page_test(page, PG_reclaim) || !node_flag(node, NODE_DIRTY)) {
        stat_node_add(page_node(page), NR_VMSCAN_IMMEDIATE, 1);
        page_set(page, PG_reclaim);
        return ACTIVATE;
    }
    if (use == USE_CLEAN_ONLY || !(sc->gfp & GFP_FS) || !sc->may_writepage)
        return KEEP;
    trace_mm_vmscan_write_folio(page);
    stat_node_add(page_node(page), NR_VMSCAN_WRITE, 1);
    r->pageout++;
    return cache_write_page(page) && !page_test(page, PG_dirty) ? FREED : KEEP;
}

/* MADV_FREE: nobody has written to it since. The entries are gone, so the isolator's reference is the only one. */
static bool free_lazy(struct page *page)
{
    s32 one = 1;
    if (!__atomic_compare_exchange_n(&page->refcount, &one, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    stat_event(PGLAZYFREED);
    return true;
}

/* Anonymous or shared memory, not mapped any more, in the swap cache. */
static enum verdict shrink_swapped(struct page *page, const struct scan_control *sc, struct shrink_result *r)
{
    s32 one = 1;
    if (page_test(page, PG_dirty)) {
        if (!sc->may_writepage)
            return KEEP;
        page_set(page, PG_reclaim); /* it is to be freed as soon as it is written */
        trace_mm_vmscan_write_folio(page);
        stat_node_add(page_node(page), NR_VMSCAN_WRITE, 1);
        if (swap_write(page, r->plug)) {
            page_clear(page, PG_reclaim);
            return KEEP;
        }
        r->pageout++;
        return KEEP;
    }
    if (page_mapping(page) || !swap_remove(page, workingset_evicted_swap(page)))
        return KEEP;
    return __atomic_compare_exchange_n(&page->refcount, &one, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ? FREED : KEEP;
}

/* It stays: slots that nobody needs are given back when swap is half full, and shared memory is in one cache only (W2 of mm/swap.h). */
static void stays(struct page *page, enum verdict v)
{
    if (!page_test(page, PG_swapcache) || page_test(page, PG_writeback))
        return;
    bool full = v == ACTIVATE && (u64)swap_free_pages() * 2 < swap_total_pages();
    if (page_mapping(page) || (full && !swap_count(page)))
        swap_remove(page, 0);
}

/* The page is locked. FREED: its references are 0. */
static enum verdict shrink_locked(struct page *page, struct node *node, struct scan_control *sc, struct shrink_result *r,
                                  bool ignore_references)
{
    struct address_space *m = page_mapping(page);
    if (unlikely(page_test(page, PG_mlocked) || (m && m->flags & AS_UNEVICTABLE)))
        return ACTIVATE;
    if (!sc->may_unmap && page_mapped(page))
        return KEEP;
    if (note_dirty(page, node, sc, &r->met))
        return ACTIVATE;
    enum use use = ignore_references ? USE_NONE : check_use(page);
    if (use == USE_ACTIVATE || use == USE_KEEP)
        return use == USE_KEEP ? KEEP : ACTIVATE;
    if (page_test(page, PG_swapbacked) && !page_test(page, PG_swapcache)) {
        if (!(sc->gfp & GFP_IO) || !sc->may_swap || page_pinned(page))
            return KEEP;
        if (!page_test(page, PG_uptodate) || swap_add(page))
            return ACTIVATE; /* there is no place for it but memory */
    }
    if (page_mapped(page)) {
        rmap_unmap(page);
        if (page_mapped(page))
            return ACTIVATE;
    }
    if (unlikely(page_pinned(page)))
        return ACTIVATE;
    if (page_test(page, PG_swapcache))
        return shrink_swapped(page, sc, r);
    if (page_test(page, PG_dirty)) {
        enum verdict v = clean_file(page, node, sc, use, r);
        if (v != FREED)
            return v;
    }
    if (page_is_anon(page))
        return free_lazy(page) ? FREED : KEEP;
    m = page_mapping(page);
    return m && cache_evict(m, page) ? FREED : KEEP;
}

unsigned shrink_pages(struct page **pages, unsigned n, struct node *node, struct scan_control *sc, struct shrink_result *r,
                      bool ignore_references)
{
    struct page *gone[LRU_BATCH];
    unsigned nr_gone = 0, nr_back = 0;
    struct swap_plug plug = {NULL};
    r->plug = &plug;
    ASSERT(n <= LRU_BATCH);
    for (unsigned i = 0; i < n; i++) {
        struct page *page = pages[i];
        if (!page_try_lock(page)) {
            pages[nr_back++] = page;
            continue;
        }
        enum verdict v = shrink_locked(page, node, sc, r, ignore_references);
        if (v == FREED) {
            lru_isolated_freed(page);
            /* Nobody can be waiting for a page that has no references. */
            WRITE_ONCE(page->flags, READ_ONCE(page->flags) & ~(1u << PG_locked | 1u << PG_waiters));
            gone[nr_gone++] = page;
            continue;
        }
        stays(page, v);
        if (v == ACTIVATE && !page_test(page, PG_mlocked)) {
            page_set(page, PG_active);
            r->activated++;
        }
        page_unlock(page);
        pages[nr_back++] = page;
    }
    swap_flush(&plug);
    stat_event_add(PGACTIVATE, r->activated);
    if (nr_gone)
        free_page_batch(gone, nr_gone);
    lru_putback(pages, nr_back);
    return nr_gone;
}

u64 reclaim_pages(struct page **pages, unsigned n)
{
    struct scan_control sc = {.gfp = GFP_KERNEL, .may_writepage = true, .may_unmap = true, .may_swap = true};
    u64 freed = 0;
    for (unsigned i = 0; i < n;) {
        struct node *node = nodes[page_node(pages[i])];
        struct shrink_result r = {0};
        unsigned k = 1;
        while (i + k < n && k < LRU_BATCH && page_node(pages[i + k]) == node->id)
            k++;
        freed += shrink_pages(pages + i, k, node, &sc, &r, true);
        i += k;
    }
    return freed;
}
