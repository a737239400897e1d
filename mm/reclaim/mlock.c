/* SPDX-License-Identifier: MIT */
/*
 * Pages of locked areas: PG_mlocked, counted by NR_MLOCK, and PG_unevictable, which keeps them on a list that reclaim passes over.
 *
 *   an area becomes VM_LOCKED      mlock_range: what it maps already
 *   a fault in such an area        mlock_page: the page it maps
 *   VM_LOCKED goes, or the entry   munlock_range, munlock_page: unless another locked area maps the page
 *   the page is freed              mlock_freed
 *
 * There is no count of locked areas in a page: whoever unlocks one looks at the others (rmap_walk).
 *
 * Invariants
 *  K1. NR_MLOCK of a node is the number of its pages with PG_mlocked. These are unevictable (PG_unevictable).
 *  K2. A page that is mapped by a locked area, and was reached there by mlock_range() or a fault, is PG_mlocked.
 *
 * Locks: lru_shard.lock for the list; munlock_page takes i_mmap_lock or anon_vma->lock.
 */
#include <mm/lru.h>
#include <mm/mlock.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/stat.h>

/* A page that is being freed by somebody else stays as it is. */
void mlock_page(struct page *page)
{
    if (page_test_and_set(page, PG_mlocked))
        return;
    stat_node_add(page_node(page), NR_MLOCK, 1);
    stat_event(UNEVICTABLE_PGMLOCKED);
    if (lru_set_unevictable(page, true))
        stat_event(UNEVICTABLE_PGCULLED);
}

static void unlock_page(struct page *page)
{
    if (!page_test_and_clear(page, PG_mlocked))
        return;
    stat_node_add(page_node(page), NR_MLOCK, -1);
    stat_event(UNEVICTABLE_PGMUNLOCKED);
    const struct address_space *m = page_mapping(page);
    if (m && m->flags & AS_UNEVICTABLE)
        return; /* nothing of its file may go anyway */
    if (lru_set_unevictable(page, false))
        stat_event(UNEVICTABLE_PGRESCUED);
}

void mlock_freed(u32 flags, unsigned n)
{
    stat_node_add((flags >> PAGE_NODE_SHIFT) & 15, NR_MLOCK, -(s64)n);
    stat_event_add(UNEVICTABLE_PGCLEARED, n);
}

struct others {
    const struct vma *but;
    pfn_t pfn;
};

static int is_locked_there(void *ctx, struct vma *vma, u64 addr)
{
    const struct others *o = ctx;
    if (vma == o->but || !(READ_ONCE(vma->flags) & VM_LOCKED))
        return 0;
    rcu_read_lock(); /* the table may be shared (T2 in mm/pt.h) */
    pte_t *p = pt_find(vma->mm, addr);
    pte_t e = p ? pte_load(p) : (pte_t){0};
    rcu_read_unlock();
    return pte_mapped(e) && !pte_special(e) && pte_pfn(e) == o->pfn;
}

void munlock_page(struct page *page, const struct vma *but)
{
    struct others o = {but, page_to_pfn(page)};
    if (page_test(page, PG_mlocked) && !rmap_walk(page, is_locked_there, &o))
        unlock_page(page);
}

struct range {
    struct vma *vma;
    bool lock;
};

/* The entry may vanish at any time: the page counts if it is still there once it cannot be freed. */
static int visit(void *ctx, u64 addr, unsigned level, pte_t e)
{
    const struct range *r = ctx;
    if (!pte_mapped(e) || pte_special(e))
        return 0;
    struct page *page = pfn_to_page(pte_pfn(e));
    if (!page_try_get(page))
        return 0;
    pte_t *p = pt_find(r->vma->mm, addr);
    if (p && pte_mapped(pte_load(p)) && pte_pfn(pte_load(p)) == pte_pfn(e)) {
        if (!r->lock)
            munlock_page(page, r->vma);
        else if (page_test(page, PG_lru)) /* not the home's own, such as the vdso's */
            mlock_page(page);
    }
    page_put(page);
    return 0;
}

void mlock_range(struct vma *vma, u64 start, u64 end)
{
    struct range r = {vma, true};
    if (!(vma->flags & (VM_IO | VM_PFNMAP)))
        pt_for_each(vma->mm, start, end, visit, &r);
}

void munlock_range(struct vma *vma, u64 start, u64 end)
{
    struct range r = {vma, false};
    if (!(vma->flags & (VM_IO | VM_PFNMAP)))
        pt_for_each(vma->mm, start, end, visit, &r);
}
