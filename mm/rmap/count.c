/* SPDX-License-Identifier: MIT */
/*
 * How many address spaces map a page, though they may share the table that does it.
 *
 *   page->mapcount + 1     entries
 *   an entry counts        as often as its table has sharers
 *
 *   one entry                              the sharers of the table it lies in
 *   several, but only ours may be shared   entries - 1 + sharers of ours
 *   another's table is shared, too         a walk over the areas that may map the page
 *
 * Which of the last two is asked once for the 2 MiB that a table covers, so a reader of smaps walks for the pages of twice
 * shared tables and no others.
 *
 * Locks: mmap_lock of vma->mm held, or inside pt_for_each(); i_mmap_lock and anon_vma->lock are taken in here.
 */
#include <mm/cache.h>
#include <mm/pt.h>
#include <mm/rmap.h>

enum { OTHERS_UNKNOWN, OTHERS_NO, OTHERS_YES };

/* [start,end) of vma, as other shows it: does a shared table but ours hold a part of it there? */
static bool shared_in(struct vma *other, const struct vma *vma, u64 start, u64 end, const struct page *ours)
{
    u64 first = vma_index(vma, start), last = vma_index(vma, end - 1);
    u64 from = other->pgoff, to = from + vma_pages(other) - 1;
    if (!READ_ONCE(other->mm->shares_tables) || last < from || first > to)
        return false;
    u64 lo = vma_start(other) + ((max(first, from) - from) << PAGE_SHIFT);
    u64 hi = vma_start(other) + ((min(last, to) - from + 1) << PAGE_SHIFT);
    return pt_range_shared(other->mm, lo, hi, ours);
}

static bool others_share(struct vma *vma, u64 start, u64 end)
{
    const struct page *ours = pt_table_at(vma->mm, start);
    struct vma *v;
    bool found = false;
    struct anon_vma *av = load_acquire(&vma->anon_vma); /* its first fault may be giving it one */
    if (av) {
        spin_lock(&av->lock);
        list_for_each_entry (v, &av->vmas, anon_link)
            if ((found = shared_in(v, vma, start, end, ours)))
                break;
        spin_unlock(&av->lock);
    }
    if (vma->mapping && !found) {
        spin_lock(&vma->mapping->i_mmap_lock);
        list_for_each_entry (v, &vma->mapping->i_mmap, mapping_link)
            if ((found = shared_in(v, vma, start, end, ours)))
                break;
        spin_unlock(&vma->mapping->i_mmap_lock);
    }
    return found;
}

struct count {
    pfn_t pfn;
    u32 n;
};

static int count_one(void *ctx, struct vma *vma, u64 addr)
{
    struct count *c = ctx;
    rcu_read_lock(); /* the table may be shared (T2 in mm/pt.h) */
    pte_t *p = pt_find(vma->mm, addr);
    pte_t e = p ? pte_load(p) : (pte_t){0};
    if (pte_mapped(e) && !pte_special(e) && pte_pfn(e) == c->pfn)
        c->n++;
    rcu_read_unlock();
    return 0;
}

u32 page_map_count(struct page *page)
{
    struct count c = {.pfn = page_to_pfn(page)};
    s32 entries = READ_ONCE(page->mapcount) + 1;
    if (entries <= 0)
        return 0;
    rmap_walk(page, count_one, &c);
    return max(c.n, (u32)entries); /* no list leads to the areas of a page that left its file */
}

u32 map_count(struct map_counter *c, struct vma *vma, u64 addr, struct page *page, u32 enough)
{
    u64 base = ALIGN_DOWN(addr, PMD_SIZE);
    if (c->vma != vma || c->base != base || !c->sharers) {
        *c = (struct map_counter){.vma = vma, .base = base, .sharers = vma->mm->shares_tables ? pt_sharers(vma, addr) : 1};
    }
    s32 entries = READ_ONCE(page->mapcount) + 1;
    u32 n = (u32)max(entries, 1) - 1 + c->sharers;
    if (entries <= 1 || n >= enough)
        return n;
    if (c->others == OTHERS_UNKNOWN)
        c->others = others_share(vma, max(base, vma_start(vma)), min(base + PMD_SIZE, vma_end(vma))) ? OTHERS_YES : OTHERS_NO;
    if (c->others == OTHERS_NO || !page_try_get(page))
        return n;
    pte_t *p = pt_find(vma->mm, addr);
    if (p && pte_pfn(pte_load(p)) == page_to_pfn(page)) /* it is still the page we came for */
        n = max(n, page_map_count(page));
    page_put(page);
    return n;
}
