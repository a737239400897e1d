/* SPDX-License-Identifier: MIT */
/*
 * Emptying entries: munmap, exit, MADV_DONTNEED, truncation.
 *
 *   entry            what happens
 *   empty            skipped
 *   special          cleared: no page behind it that is counted
 *   marker           cleared; but stays in truncation, and MADV_DONTNEED lets protections of file pages stay (below)
 *   swap entry       cleared, its slot counts one less; stays where private copies do
 *   page             cleared; D of a file page goes to the page, A counts as a use; mapcount, rss, NR_*_MAPPED; the reference to the gather
 *
 * Each level-1 table is locked once. rss is added up over the call and applied at its end. The loop ends early when the
 * table has no used entry left. A shared table is given up whole, see share.c; truncation, which may not sleep, empties its
 * entries for all sharers.
 *
 * In an area that a userfaultfd protects, a protected page of a file leaves a marker behind when it goes but the area stays, and
 * markers stay likewise (zap_keeping): what comes there next is protected, too. Poison goes unless private copies stay.
 *
 * Invariants
 *  Z1. No new entry of the range can appear that the caller wants gone: the area is write-locked or out of the tree, or
 *      (truncation) the fault path checks under pt_lock that the page is still in the cache; then each table has to be
 *      locked, even if it looks empty.
 *  Z2. An address is in the gather's range before its page can be released (G1).
 *
 * Locks: pt_lock; inside it the page cache tree's, for a page that becomes dirty.
 */
#include "pt_internal.h"
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <port/log.h>

struct zap {
    struct gather *g;
    struct mm_cpu *cpu;
    s64 *gauges;              /* this CPU's share of the node whose pages have node_bits */
    u32 node_bits;            /* flags >> PAGE_NODE_SHIFT */
    s64 anon, file, shmem;    /* mappings that went, for rss */
    s64 swap;                 /* and swap entries */
};

static __noinline_fn void zap_node(struct zap *z, u32 node_bits)
{
    z->node_bits = node_bits;
    z->gauges = z->cpu->node_stat[node_bits & 15];
}

/* A file page loses one mapping: D goes to the page. */
static __noinline_fn void zap_file_page(struct zap *z, struct page *page, pte_t e)
{
    if (page_test(page, PG_swapbacked))
        z->shmem++;
    else
        z->file++;
    if (pte_dirty(e) && !page_test(page, PG_dirty) && page_mapping(page))
        cache_set_dirty(page);
    if (pte_young(e) && !lru_is_hot(READ_ONCE(page->flags)) && page_test(page, PG_lru))
        lru_mark_accessed(page);
}

/* A swap entry goes: no page, no translation. */
static __noinline_fn void zap_swap(struct zap *z, pte_t *p)
{
    swap_free(pte_to_swp(pte_load(p)));
    pte_store(p, (pte_t){0});
    pt_count(pt_table_page(p), RSS_SWAP, -1);
    z->swap++;
}

/* The gather has no room: its range is told all that has been zapped so far (Z2). */
static __noinline_fn void make_room(struct gather *g, struct page **next, u64 start, u64 end)
{
    g->next = next;
    gather_range(g, start, end);
    gather_more(g);
}

static __noinline_fn pte_t *skip_empty(pte_t *p, unsigned n)
{
    return p + pt_skip_empty(p, 0, n);
}

/* The n entries from p on, which lie in one locked table; addr is p's. file_only: private copies stay. */
static __always_inline_fn void zap_entries(struct zap *z, pte_t *p, u64 addr, unsigned n,
                                           bool file_only)
{
    struct gather *g = z->g;
    struct page *table = pt_table_page(p), **next = g->next, **limit = g->limit;
    pte_t *const base = p, *const end = p + n, *last = NULL;
    const s64 other = z->file + z->shmem, shmem = z->shmem;
    s64 anon = 0;

    if (pte_none(pte_load(p)))
        p = skip_empty(p, n);
    pte_t *const first = p;
    s32 used = table->mapcount;
    for (; used && p != end; p++) {
        pte_t e = pte_load(p);
        if (pte_none(e))
            continue;
        if (unlikely(!(e.v & (PTE_P | PTE_PROTNONE | PTE_SPECIAL)))) {
            if (!file_only) {
                zap_swap(z, p);
                used--;
            }
            continue;
        }
        struct page *page = pt_page(e);
        if (file_only && (pte_special(e) ? pte_marker(e) : page_is_anon(page)))
            continue;
        e = pte_exchange(p, (pte_t){0});
        used--;
        last = p;
        if (unlikely(pte_special(e)))
            continue;
        unsigned gauge = NR_ANON_MAPPED;
        if (likely(page_is_anon(page))) {
            anon++;
        } else {
            zap_file_page(z, page, e);
            gauge = NR_FILE_MAPPED;
        }
        if (__atomic_sub_fetch(&page->mapcount, 1, __ATOMIC_RELEASE) < 0) {
            u32 bits = READ_ONCE(page->flags) >> PAGE_NODE_SHIFT;
            if (unlikely(bits != z->node_bits))
                zap_node(z, bits);
            z->gauges[gauge]--;
        }
        if (unlikely(next == limit)) {
            make_room(g, next, addr + ((u64)(first - base) << PAGE_SHIFT),
                      addr + ((u64)(p - base + 1) << PAGE_SHIFT));
            next = g->next;
            limit = g->limit;
        }
        *next++ = page;
    }
    WRITE_ONCE(table->mapcount, used);
    pt_count(table, RSS_ANON, -anon);
    if (unlikely(z->file + z->shmem != other)) {
        pt_count(table, RSS_SHMEM, shmem - z->shmem);
        pt_count(table, RSS_FILE, other - shmem - z->file);
    }
    g->next = next;
    z->anon += anon;
    if (last)
        gather_range(g, addr + ((u64)(first - base) << PAGE_SHIFT),
                     addr + ((u64)(last - base + 1) << PAGE_SHIFT));
}

/* Both kinds apart, each lean. */
static __noinline_fn void zap_table(struct zap *z, pte_t *p, u64 addr, unsigned n)
{
    struct page *table = pt_table_page(p);
    pt_lock(table);
    zap_entries(z, p, addr, n, false);
    pt_unlock(table);
}

static __noinline_fn void zap_locked(struct zap *z, pte_t *p, u64 addr, unsigned n, bool file_only)
{
    if (file_only)
        zap_entries(z, p, addr, n, true);
    else
        zap_entries(z, p, addr, n, false);
}

/* The table is locked: as zap_locked, but protected entries become markers. */
static __noinline_fn void zap_keeping(struct zap *z, pte_t *p, u64 addr, unsigned n, bool file_only)
{
    u64 keep[PT_ENTRIES / 64] = {0};
    for (unsigned i = 0; i < n; i++)
        if (pte_uffd_wp(pte_load(p + i)))
            keep[i / 64] |= 1UL << i % 64;
    zap_locked(z, p, addr, n, file_only);
    for (unsigned i = 0; i < n; i++)
        if (keep[i / 64] & 1UL << i % 64 && pte_none(pte_load(p + i)))
            pt_install(p + i, (pte_t){PTE_MARKER_WP});
}

/* Do protections of this area outlive its pages? */
static bool keeps_wp(const struct vma *vma)
{
    return unlikely(READ_ONCE(vma->flags) & VM_UFFD_WP) && !vma_is_anon(vma);
}

static void zap_init(struct zap *z, struct gather *g)
{
    z->g = g;
    z->cpu = cpu_local();
    z->gauges = NULL;
    z->node_bits = U32_MAX;
    z->anon = z->file = z->shmem = z->swap = 0;
}

/* Smaller losses don't count for the peak: it is as exact as a batch. */
#define HIWATER_BATCH 128

static void apply_rss(const struct zap *z, struct mm *mm)
{
    if (z->anon + z->file + z->shmem >= HIWATER_BATCH && !z->g->full_mm)
        mm_update_hiwater(mm);
    if (z->anon)
        rss_add(mm, RSS_ANON, -z->anon);
    if (z->file)
        rss_add(mm, RSS_FILE, -z->file);
    if (z->shmem)
        rss_add(mm, RSS_SHMEM, -z->shmem);
    if (unlikely(z->swap))
        rss_add(mm, RSS_SWAP, -z->swap);
}

/* The table below the entry p of a level for addr: the mm's own, or NULL: it was given up whole, or holds nothing of the range. */
static pte_t *own_or_give_up(struct gather *g, pte_t *p, unsigned level, u64 addr, u64 start, u64 end)
{
    u64 span = pt_span(level), base = ALIGN_DOWN(addr, span);
    bool covered = (start <= base && base + span <= end) || (g->floor <= base && base + span <= g->ceiling);
    for (;;) {
        pte_t e = pte_load(p);
        if (pt_is_own(e))
            return pt_below(e);
        if (pte_none(e) || !covered)
            return NULL; /* pt_own_edges() was here */
        if (pt_drop_shared(g, p, addr, level))
            return NULL;
    }
}

/* A table that may be shared: the entry for addr if it is the mm's own, to be zapped; else NULL. */
static __noinline_fn pte_t *give_up_shared(struct gather *g, struct mm *mm, u64 addr, u64 start, u64 end)
{
    pte_t *t = own_or_give_up(g, pt_find_3(mm, addr), 3, addr, start, end);
    if (t)
        t = own_or_give_up(g, t + pt_index(addr, 2), 2, addr, start, end);
    return t ? t + pt_index(addr, 1) : NULL;
}

void pt_zap_range(struct gather *g, struct vma *vma, u64 start, u64 end)
{
    struct zap z;
    bool maybe_shared;
    pte_t *p;
    zap_init(&z, g);
    for (u64 addr = start, next; (p = pt_next_look(vma->mm, &addr, end, &maybe_shared)); addr = next) {
        next = pt_step(addr, end, 2);
        if (unlikely(maybe_shared) && !(p = give_up_shared(g, vma->mm, addr, start, end)))
            continue;
        zap_table(&z, p, addr, (unsigned)((next - addr) >> PAGE_SHIFT));
    }
    apply_rss(&z, vma->mm);
}

void pt_zap_pages(struct gather *g, struct vma *vma, u64 start, u64 end)
{
    struct zap z;
    pte_t *p;
    if (!keeps_wp(vma)) {
        pt_zap_range(g, vma, start, end);
        return;
    }
    zap_init(&z, g);
    for (u64 addr = start, next; (p = pt_next_own(vma->mm, &addr, end)); addr = next) {
        next = pt_step(addr, end, 2);
        pt_lock(pt_table_page(p));
        zap_keeping(&z, p, addr, (unsigned)((next - addr) >> PAGE_SHIFT), false);
        pt_unlock(pt_table_page(p));
    }
    apply_rss(&z, vma->mm);
}

#define SHARED_BATCH 64

/* Private copies and markers outlive the pages of their file. */
static bool stays(pte_t e)
{
    return pte_special(e) ? pte_marker(e) : pte_swap(e) || page_is_anon(pt_page(e));
}

/* As zap_entries, in a table that others share: they lose the entries with us, and are flushed before a page can go. */
static __noinline_fn void zap_shared(struct gather *g, struct vma *vma, pte_t *p, u64 addr, unsigned n, bool file_only)
{
    struct page *table = pt_table_page(p), *pages[SHARED_BATCH];
    for (unsigned i = 0; i < n;) {
        s64 lost[NR_RSS] = {0};
        unsigned nr = 0;
        u64 first = addr + ((u64)i << PAGE_SHIFT);
        for (; i < n && nr < SHARED_BATCH; i++) {
            pte_t e = pte_load(p + i);
            if (pte_none(e) || (file_only && stays(e)))
                continue;
            pt_take(p + i);
            if (pte_special(e))
                continue;
            if (pte_swap(e)) {
                lost[RSS_SWAP]++;
                swap_free(pte_to_swp(e));
                continue;
            }
            lost[page_rss_kind(pt_page(e))]++;
            pages[nr++] = pt_page(e);
        }
        pt_sharers_lost(table, vma, true, first, addr + ((u64)i << PAGE_SHIFT), lost);
        for (unsigned k = 0; k < nr; k++) {
            rmap_remove(pages[k]);
            page_put(pages[k]);
        }
    }
}

/* Z1: a fault that saw the page in the cache may be installing it; only pt_lock tells, so no table is passed over. */
void pt_zap_mapping(struct gather *g, struct vma *vma, u64 start, u64 end, bool even_cows)
{
    struct zap z;
    pte_t *p;
    zap_init(&z, g);
    for (u64 addr = start, next; (p = pt_next_any(vma->mm, &addr, end)); addr = next) {
        next = pt_step(addr, end, 2);
        unsigned n = (unsigned)((next - addr) >> PAGE_SHIFT);
        p = pt_lock_entry(vma->mm, addr);
        if (!p)
            continue; /* it was given up meanwhile */
        if (unlikely(READ_ONCE(vma->mm->shares_tables)) && pt_state(vma->mm, addr) != PT_OWN)
            zap_shared(g, vma, p, addr, n, !even_cows);
        else if (keeps_wp(vma))
            zap_keeping(&z, p, addr, n, !even_cows);
        else
            zap_locked(&z, p, addr, n, !even_cows);
        pt_unlock(pt_table_page(p));
    }
    apply_rss(&z, vma->mm);
}
