/* SPDX-License-Identifier: MIT */
/*
 * From a page to its entries: new anonymous pages get their owner here; walks go through the areas of the owner.
 *
 *   rmap_walk     page ─ owner ─ list of areas ─ address in each ─ fn(vma, addr)
 *   rmap_unmap    the same with fn = empty the entry if it maps the page; an anonymous page leaves its swap entry there
 *
 * An entry in a shared table is reached through the area of each sharer. It counts as one mapping and is emptied once, for
 * all of them (pt_sharers_lost).
 *
 * Locks: i_mmap_lock or anon_vma->lock over a walk; RCU holds an anon_vma's memory until its lock is taken. By T2 (mm/pt.h)
 * the tables of a linked area stay, so fn may walk down; it takes pt_lock_entry(), as the last table may be shared.
 */
#include <mm/cache.h>
#include <mm/lru.h>
#include <mm/pin.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <mm/swap.h>
#include <port/log.h>

void rmap_add_new_anon(struct page *page, struct vma *vma, u64 addr)
{
    unsigned node = page_node(page);
    page_init_flags(page, 1u << PG_swapbacked | 1u << PG_uptodate | 1u << PG_lru);
    page->mapcount = 0;
    page->index = (u32)vma_index(vma, addr);
    WRITE_ONCE(page->owner, (u64)vma->anon_vma | PAGE_OWNER_ANON);
    cpu_local()->node_stat[node][NR_ANON_MAPPED]++;
    lru_add_fresh(page, node, LRU_INACTIVE_ANON);
}

void rmap_move_anon(struct page *page, struct vma *vma, u64 addr)
{
    WRITE_ONCE(page->index, (u32)vma_index(vma, addr));
    store_release(&page->owner, (u64)vma->anon_vma | PAGE_OWNER_ANON);
}

/* page->index has 32 bits: an area of more than 16 TiB may hold several addresses that fit. */
#define INDEX_PERIOD (1UL << 32)

static int walk_area(struct page *page, struct vma *vma,
                     int (*fn)(void *ctx, struct vma *vma, u64 addr), void *ctx)
{
    u64 pages = vma_pages(vma);
    for (u64 i = (u32)(page->index - (u32)vma->pgoff); i < pages; i += INDEX_PERIOD) {
        int err = fn(ctx, vma, vma_start(vma) + (i << PAGE_SHIFT));
        if (err)
            return err;
    }
    return 0;
}

static int walk_anon(struct page *page, int (*fn)(void *ctx, struct vma *vma, u64 addr), void *ctx)
{
    struct vma *vma;
    int err = 0;

    rcu_read_lock();
    /* The owner of an unmapped page may be long dead: looked at in this order, it is at least that of the mapping. */
    bool mapped = load_acquire(&page->mapcount) >= 0;
    struct anon_vma *av = page_anon_vma(page);
    if (!av || !mapped) {
        rcu_read_unlock();
        return 0;
    }
    spin_lock(&av->lock);
    list_for_each_entry (vma, &av->vmas, anon_link) {
        err = walk_area(page, vma, fn, ctx);
        if (err)
            break;
    }
    spin_unlock(&av->lock);
    rcu_read_unlock();
    return err;
}

static int walk_file(struct page *page, int (*fn)(void *ctx, struct vma *vma, u64 addr), void *ctx)
{
    struct address_space *m = page_mapping(page);
    struct vma *vma;
    int err = 0;

    if (!m) /* truncated, or the home's own page: no list leads to its areas */
        return 0;
    spin_lock(&m->i_mmap_lock);
    list_for_each_entry (vma, &m->i_mmap, mapping_link) {
        err = walk_area(page, vma, fn, ctx);
        if (err)
            break;
    }
    spin_unlock(&m->i_mmap_lock);
    return err;
}

int rmap_walk(struct page *page, int (*fn)(void *ctx, struct vma *vma, u64 addr), void *ctx)
{
    return page_is_anon(page) ? walk_anon(page, fn, ctx) : walk_file(page, fn, ctx);
}

void rmap_add_swapped(struct page *page, struct vma *vma, u64 addr)
{
    if (!page_mapped(page)) {
        WRITE_ONCE(page->index, (u32)vma_index(vma, addr));
        store_release(&page->owner, (u64)vma->anon_vma | PAGE_OWNER_ANON);
    }
    ASSERT(page_anon_vma(page) == vma->anon_vma && page->index == (u32)vma_index(vma, addr));
    page_get(page);
    if (__atomic_add_fetch(&page->mapcount, 1, __ATOMIC_RELEASE) == 0)
        stat_node_add(page_node(page), NR_ANON_MAPPED, 1);
}

struct unmap {
    struct page *page;
    unsigned removed;
};

static int unmap_one(void *ctx, struct vma *vma, u64 addr)
{
    struct unmap *u = ctx;
    struct page *page = u->page;
    pte_t *p = pt_lock_entry(vma->mm, addr);
    if (!p)
        return 0;
    struct page *table = pt_table_page(p);
    enum rss_kind kind = page_rss_kind(page);
    pte_t e = pte_load(p);
    bool hit = pte_mapped(e) && !pte_special(e) && pte_pfn(e) == page_to_pfn(page);
    bool swap = kind == RSS_ANON && page_test(page, PG_swapcache);
    if (unlikely(swap && hit && page_pinned(page)))
        hit = false; /* N1: fork would not know it by a swap entry */
    if (hit) {
        e = pt_take(p);
        if (swap) {
            swap_add_entry(page);
            pt_install(p, swp_to_pte(page_swap_entry(page), e.v & PTE_SWAP_BITS));
        } else if (unlikely(pte_uffd_wp(e)) && kind != RSS_ANON) {
            pt_install(p, (pte_t){PTE_MARKER_WP}); /* the page may come back from the cache */
        }
        if (unlikely(vma->mm->shares_tables) && pt_state(vma->mm, addr) != PT_OWN) {
            s64 lost[NR_RSS] = {0};
            lost[kind] = 1;
            lost[RSS_SWAP] = swap ? -1 : 0;
            pt_sharers_lost(table, vma, kind != RSS_ANON, addr, addr + PAGE_SIZE, lost);
        } else {
            tlb_flush_page(vma->mm, addr);
            pt_count(table, kind, -1);
            rss_add(vma->mm, kind, -1);
            if (swap) {
                pt_count(table, RSS_SWAP, 1);
                rss_add(vma->mm, RSS_SWAP, 1);
            }
        }
    }
    pt_unlock(table);
    if (!hit)
        return 0;
    if (swap && pte_dirty(e))
        page_set(page, PG_dirty); /* W4 of mm/swap.h */
    else if (pte_dirty(e) && kind != RSS_ANON)
        cache_set_dirty(page);
    rmap_remove(page);
    page_put(page); /* not the last: the caller has one */
    u->removed++;
    return page_mapped(page) ? 0 : 1;
}

unsigned rmap_unmap(struct page *page)
{
    struct unmap u = {.page = page};
    rmap_walk(page, unmap_one, &u);
    return u.removed;
}
