/* SPDX-License-Identifier: MIT */
/*
 * P2 and P3 of mm/page.h, checked over everything: each frame's mapcount and references against the entries of all address
 * spaces; each mm's rss and the gauges of mapped pages against the same entries.
 */
#include <mm/cache.h>
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/slab.h>

struct census {
    u32 *mappings; /* by frame */
    u64 nr_frames;
    u64 rss[NR_RSS]; /* of the mm being walked */
    const char *err;
};

static int count_leaf(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct census *c = ctx;
    if (!pte_mapped(e) || pte_special(e))
        return 0;
    if (level != 1 || pte_pfn(e) >= c->nr_frames) {
        c->err = "entry maps a frame that is not RAM";
        return 1;
    }
    c->mappings[pte_pfn(e)]++;
    c->rss[page_rss_kind(pfn_to_page(pte_pfn(e)))]++;
    return 0;
}

static const char *count_mm(struct census *c, struct mm *mm)
{
    for (unsigned k = 0; k < NR_RSS; k++)
        c->rss[k] = 0;
    if (mm->mmu.root)
        pt_for_each(mm, 0, mm->task_size, count_leaf, c);
    for (unsigned k = 0; k < NR_RSS && !c->err; k++)
        if (k != RSS_SWAP && rss_sum(mm, k) != c->rss[k])
            c->err = "rss of an mm is not the number of its entries";
    return c->err;
}

static const char *check_frame(const struct page *page, u32 mappings, u64 *anon, u64 *file)
{
    const u32 other = 1u << PG_slab | 1u << PG_table | 1u << PG_buddy;
    if (page->flags & (1u << PG_reserved) && !mappings)
        return NULL; /* the home's; it may map some to users (vdso) */
    if (page->refcount == 0 || (page->flags & other))
        return mappings ? "entry maps a frame that is not in use as a user page" : NULL;
    if (page->mapcount + 1 != (s32)mappings)
        return "mapcount is not the number of entries";
    if (page->refcount < (s32)mappings)
        return "a page has fewer references than entries";
    if (!mappings)
        return NULL;
    if (page_mapping(page) && page->refcount < (s32)mappings + 1)
        return "the cache's reference of a mapped page is missing";
    ++*(page_is_anon(page) ? anon : file);
    return NULL;
}

static const char *check_frames(const struct census *c)
{
    const struct mem_range *r;
    u64 anon = 0, file = 0;
    for (size_t n = mem_ranges(&r); n; n--, r++) {
        if (r->kind != MEM_FREE)
            continue;
        for (pfn_t pfn = r->base >> PAGE_SHIFT; pfn < (r->base + r->size) >> PAGE_SHIFT; pfn++) {
            const char *err = check_frame(pfn_to_page(pfn), c->mappings[pfn], &anon, &file);
            if (err)
                return err;
        }
    }
    if (stat_sum(NR_ANON_MAPPED) != (s64)anon)
        return "NR_ANON_MAPPED is not the number of mapped anonymous pages";
    if (stat_sum(NR_FILE_MAPPED) != (s64)file)
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
    struct mm *mm;

    c.mappings = kvmalloc(c.nr_frames * sizeof(u32), GFP_KERNEL | GFP_ZERO);
    if (!c.mappings)
        return "no memory for the census of mappings";
    spin_lock(&mm_list_lock);
    list_for_each_entry (mm, &mm_list, list)
        if (count_mm(&c, mm))
            break;
    spin_unlock(&mm_list_lock);
    const char *err = c.err ? c.err : check_frames(&c);
    kvfree(c.mappings);
    return err;
}
