/* SPDX-License-Identifier: MIT */
/*
 * Emptying entries: munmap, exit, MADV_DONTNEED, truncation.
 *
 *   entry            what happens
 *   empty            skipped
 *   special          cleared: no page behind it that is counted
 *   page             cleared; D of a file page goes to the page; mapcount, rss, NR_*_MAPPED; the reference to the gather
 *
 * Each level-1 table is locked once. rss is added up over the call and applied at its end. The loop ends early when the
 * table has no used entry left.
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
#include <mm/rmap.h>
#include <mm/stat.h>
#include <port/log.h>

struct zap {
    struct gather *g;
    s64 rss[NR_RSS];
    bool file_only; /* private copies stay */
};

/* The page loses one mapping: everything but the reference. */
static __always_inline_fn void unmap_page(struct zap *z, struct mm_cpu *cpu, struct page *page, pte_t e)
{
    enum node_stat mapped;
    if (page_is_anon(page)) {
        z->rss[RSS_ANON]--;
        mapped = NR_ANON_MAPPED;
    } else {
        z->rss[page_rss_kind(page)]--;
        mapped = NR_FILE_MAPPED;
        if (pte_dirty(e) && !page_test(page, PG_dirty) && page_mapping(page))
            cache_set_dirty(page);
    }
    if (__atomic_sub_fetch(&page->mapcount, 1, __ATOMIC_RELEASE) < 0)
        cpu->node_stat[page_node(page)][mapped]--;
}

/* [addr,end) lies within the table of entry p. */
static void zap_table(struct zap *z, pte_t *p, u64 addr, u64 end)
{
    struct gather *g = z->g;
    struct page *table = pt_table_page(p);
    struct mm_cpu *cpu = cpu_local();
    u64 first = 0, last = 0;

    pt_lock(table);
    s32 used = table->mapcount;
    for (; used && addr < end; addr += PAGE_SIZE, p++) {
        pte_t e = pte_load(p);
        if (pte_none(e))
            continue;
        ASSERT(pte_mapped(e));
        struct page *page = pte_special(e) ? NULL : pfn_to_page(pte_pfn(e));
        if (unlikely(z->file_only) && page && page_is_anon(page))
            continue;
        e = pte_exchange(p, (pte_t){0});
        used--;
        if (!last)
            first = addr;
        last = addr + PAGE_SIZE;
        if (!page)
            continue;
        unmap_page(z, cpu, page, e);
        if (unlikely(g->next == g->limit)) {
            gather_range(g, first, last);
            gather_more(g);
        }
        *g->next++ = page;
    }
    table->mapcount = used;
    pt_unlock(table);
    if (last)
        gather_range(g, first, last);
}

static void zap(struct zap *z, struct vma *vma, u64 start, u64 end, pte_t *(*next_table)(struct mm *, u64 *, u64))
{
    struct mm *mm = vma->mm;
    pte_t *p;

    for (u64 addr = start; (p = next_table(mm, &addr, end));) {
        u64 next = pt_step(addr, end, 2);
        zap_table(z, p, addr, next);
        addr = next;
    }
    for (unsigned k = 0; k < NR_RSS; k++)
        if (z->rss[k])
            rss_add(mm, k, z->rss[k]);
}

void pt_zap_range(struct gather *g, struct vma *vma, u64 start, u64 end)
{
    struct zap z = {.g = g};
    zap(&z, vma, start, end, pt_next);
}

void pt_zap_mapping(struct gather *g, struct vma *vma, u64 start, u64 end, bool even_cows)
{
    struct zap z = {.g = g, .file_only = !even_cows};
    /* Z1: a fault that saw the page in the cache may be installing it; only pt_lock tells. */
    zap(&z, vma, start, end, pt_next_any);
}
