/* SPDX-License-Identifier: MIT */
/*
 * P2 and P3 of mm/page.h and R1 of mm/rmap.h, checked over everything: each frame's mapcount and references against the entries
 * of all address spaces; each mm's rss and the gauges of mapped pages against the same entries; owner and index of each
 * anonymous page against its area.
 *
 * The census needs no memory: it is taken in the mapcounts themselves.
 *
 *   1. every entry maps a frame that may be mapped; rss of each mm
 *   2. each entry takes 1 from its page's mapcount; then every page's must be -1 (P2)
 *   3. each entry gives it back; a page that leaves -1 is one mapped page; at the end references are compared (P3)
 */
#include <mm/cache.h>
#include <mm/phys.h>
#include <mm/pin.h>
#include <mm/pt.h>
#include <mm/rmap.h>

struct census {
    struct mm *mm; /* being walked */
    u64 nr_frames;
    u64 rss[NR_RSS]; /* of the mm being walked */
    s64 anon, file;  /* mapped pages */
    const char *err;
};

static struct page *counted_page(pte_t e)
{
    return pte_mapped(e) && !pte_special(e) ? pfn_to_page(pte_pfn(e)) : NULL;
}

/* Would a walk over the page's areas come to addr? */
static bool leads_to(const struct page *page, struct mm *mm, u64 addr)
{
    const struct vma *vma = vma_find(mm, addr);
    return vma && vma_start(vma) <= addr && vma->anon_vma && page_anon_vma(page) == vma->anon_vma &&
           page->index == (u32)vma_index(vma, addr);
}

static int check_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct census *c = ctx;
    struct page *page = counted_page(e);
    if (level == 1 && pte_swap(e))
        c->rss[RSS_SWAP]++;
    if (!page)
        return 0;
    if (level != 1 || pte_pfn(e) >= c->nr_frames)
        c->err = "entry maps a frame that is not RAM";
    else if (page->refcount <= 0 ||
             (page->flags & (1u << PG_slab | 1u << PG_table | 1u << PG_buddy)))
        c->err = "entry maps a frame that is not in use as a user page";
    else
        c->rss[page_rss_kind(page)]++;
    if (!c->err && page_is_anon(page) && !leads_to(page, c->mm, addr))
        c->err = "R1: owner or index of an anonymous page does not lead to its entry";
    return c->err != NULL;
}

static int take_mapping(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct page *page = counted_page(e);
    if (page)
        page->mapcount--;
    return 0;
}

static int give_mapping(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct census *c = ctx;
    struct page *page = counted_page(e);
    if (page && page->mapcount++ == -1)
        ++*(page_is_anon(page) ? &c->anon : &c->file);
    return 0;
}

static int check_references(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct census *c = ctx;
    struct page *page = counted_page(e);
    if (!page)
        return 0;
    if (page_is_anon(page) && page_pinned(page) && page->mapcount > 0)
        c->err = "N1: a pinned page is mapped twice";
    else if (page->refcount < page->mapcount + 1 + page_test(page, PG_swapcache))
        c->err = "a page has fewer references than entries";
    else if (page_mapping(page) && page->refcount < page->mapcount + 2)
        c->err = "the cache's reference of a mapped page is missing";
    return c->err != NULL;
}

static void for_each_entry(struct census *c,
                           int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e))
{
    struct mm *mm;
    list_for_each_entry (mm, &mm_list, list)
        if (!c->err)
            pt_for_each_once(mm, fn, c); /* P2: a shared entry is one mapping */
}

static void check_spaces(struct census *c)
{
    struct mm *mm;
    list_for_each_entry (mm, &mm_list, list) {
        c->mm = mm;
        for (unsigned k = 0; k < NR_RSS; k++)
            c->rss[k] = 0;
        if (pt_for_each(mm, 0, mm->task_size, check_entry, c))
            return;
        for (unsigned k = 0; k < NR_RSS; k++)
            if (rss_sum(mm, k) != c->rss[k])
                c->err = "rss of an mm is not the number of its entries";
    }
}

/* With all mappings taken away: is every user page at -1? */
static const char *check_frames(void)
{
    const u32 other = 1u << PG_slab | 1u << PG_table | 1u << PG_buddy | 1u << PG_reserved;
    const struct mem_range *r;
    for (size_t n = mem_ranges(&r); n; n--, r++) {
        if (r->kind != MEM_FREE)
            continue;
        for (pfn_t pfn = r->base >> PAGE_SHIFT; pfn < (r->base + r->size) >> PAGE_SHIFT; pfn++) {
            const struct page *page = pfn_to_page(pfn);
            if (page->refcount > 0 && !(page->flags & other) && page->mapcount != -1)
                return "mapcount is not the number of entries";
        }
    }
    return NULL;
}

static const char *check_gauges(const struct census *c)
{
    if (stat_sum(NR_ANON_MAPPED) != c->anon)
        return "NR_ANON_MAPPED is not the number of mapped anonymous pages";
    if (stat_sum(NR_FILE_MAPPED) != c->file)
        return "NR_FILE_MAPPED is not the number of mapped file pages";
    return NULL;
}

static u64 frames_end(void)
{
    const struct mem_range *r;
    u64 end = 0;
    for (size_t n = mem_ranges(&r); n; n--, r++)
        end = max(end, (r->base + r->size) >> PAGE_SHIFT);
    return end;
}

const char *rmap_validate_all(void)
{
    struct census c = {.nr_frames = frames_end()};
    spin_lock(&mm_list_lock);
    check_spaces(&c);
    if (!c.err) {
        for_each_entry(&c, take_mapping);
        const char *err = check_frames();
        for_each_entry(&c, give_mapping);
        for_each_entry(&c, check_references);
        if (err)
            c.err = err;
        else if (!c.err)
            c.err = check_gauges(&c);
    }
    spin_unlock(&mm_list_lock);
    return c.err;
}
