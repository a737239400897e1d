/* SPDX-License-Identifier: MIT */
/*
 * Do the tables of one address space agree with themselves and with its areas? The caller keeps everybody else away
 * (mmap_lock for writing and no faults, or nobody else running). And do the references of all tables agree with the entries
 * that point to them?
 */
#include "pt_internal.h"
#include <mm/rmap.h>
#include <port/log.h>

struct check {
    struct mm *mm;
    u64 tables;
    struct vma *vma; /* where the last leaf lay: leaves come in address order */
};

static const char *check_rights(const struct vma *vma, pte_t e)
{
    u64 flags = vma->flags;
    if (!(e.v & PTE_P))
        return flags & VM_ACCESS ? "PROT_NONE entry in an accessible area" : NULL;
    if (!(flags & VM_ACCESS))
        return "accessible entry in a PROT_NONE area";
    if (!(e.v & PTE_US))
        return "user entry without PTE_US";
    if (pte_write(e) && !(flags & VM_WRITE))
        return "writable entry in an area without VM_WRITE";
    if (!(e.v & pte_xd_bit()) && pte_xd_bit() && !(flags & VM_EXEC))
        return "executable entry in an area without VM_EXEC";
    return NULL;
}

static const char *check_page(const struct vma *vma, u64 addr, pte_t e)
{
    const struct page *page = pfn_to_page(pte_pfn(e));
    if (pte_special(e)) {
        if (page == zero_page && pte_write(e))
            return "the zero page is writable";
        return NULL;
    }
    if (page->flags & (1u << PG_buddy | 1u << PG_slab | 1u << PG_table))
        return "entry maps a free, slab or table frame";
    if (page->mapcount < 0)
        return "mapped page has no mapcount";
    if (page_refs(page) < page->mapcount + 1)
        return "page has fewer references than mappings";
    if (page_is_anon(page) && page_anon_vma(page) != vma->anon_vma)
        return "anonymous page belongs to another anon_vma than its area";
    if (page_mapping(page) && page_mapping(page) != vma->mapping)
        return "cached page of another mapping than its area's";
    if (vma->mapping && !page_is_anon(page) && !page_mapping(page))
        return "page is mapped though it has left its file";
    if ((page_is_anon(page) || page_mapping(page)) && page->index != (u32)vma_index(vma, addr))
        return "page's index is not that of its address"; /* R1 */
    if (page_is_anon(page) && pte_write(e) && page->mapcount != 0)
        return "anonymous page is writable and shared";
    if (!(vma->flags & VM_SHARED) && pte_write(e) && !page_is_anon(page) && page_mapping(page))
        return "cached file page is writable in a private area";
    return NULL;
}

/* U5 of mm/uffd.h */
static const char *check_uffd(const struct vma *vma, pte_t e)
{
    if (!pte_uffd_wp(e))
        return NULL;
    if (!(vma->flags & VM_UFFD_WP))
        return "U5: an entry is protected in an area that no userfaultfd protects";
    return pte_write(e) ? "U5: a protected entry is writable" : NULL;
}

static bool is_swap_entry(pte_t e)
{
    return pte_swap(e) && e.v == swp_to_pte(pte_to_swp(e), e.v & PTE_SWAP_BITS).v;
}

static const char *check_leaf(struct check *c, u64 addr, pte_t e)
{
    if (!pte_mapped(e) && e.v != PTE_MARKER_WP && e.v != PTE_MARKER_POISON && !is_swap_entry(e))
        return "entry is neither a mapping nor a marker nor a swap entry nor empty";
    if (!c->vma || addr >= vma_end(c->vma))
        c->vma = vma_find(c->mm, addr);
    if (!c->vma || addr < vma_start(c->vma))
        return "entry outside of every area";
    const char *err = check_uffd(c->vma, e);
    if (!err && pte_swap(e) && !c->vma->anon_vma)
        err = "a swap entry in an area without an anon_vma";
    if (pte_swap(e))
        return err;
    if (!err && !pte_marker(e))
        err = check_rights(c->vma, e);
    return err || pte_marker(e) ? err : check_page(c->vma, addr, e);
}

/* rw: the entry above may be written; own: all entries above may. */
static const char *check_head(const struct check *c, struct page *page, unsigned level, bool rw, bool own)
{
    if (!page_test(page, PG_table))
        return "table page without PG_table";
    if (page_test(page, PG_table_upper) != (level > 1))
        return "table page of the wrong level";
    if (level > PT_SHARE_MAX && page->owner != (u64)c->mm)
        return "table page of another mm";
    if (page_refs(page) != 1 && (rw || level > PT_SHARE_MAX))
        return "shared table that may be written";
    if (!rw && !page_test(page, PG_table_shared))
        return "table without PTE_RW that was never shared";
    if (own && page_test(page, PG_table_summed) && level == 2)
        return "a table that changes keeps a sum";
    return NULL;
}

/* S6 of share.c: the sums that a shared table of level 2 keeps. */
static const char *check_sums(struct page *table)
{
    s64 kept[NR_RSS], now[NR_RSS];
    if (!page_test(table, PG_table_summed))
        return NULL;
    pt_table_rss(table, kept);
    page_clear(table, PG_table_summed);
    pt_table_rss(table, now);
    for (unsigned k = 0; k < NR_RSS; k++)
        if (kept[k] != now[k])
            return "a shared table's sum of mappings is wrong";
    return NULL;
}

static const char *check_counts(const struct page *page, s32 used, const u64 kinds[NR_RSS])
{
    for (unsigned k = 0; k < NR_RSS; k++)
        if (pt_counted(page, k) != kinds[k])
            return "a table's mappings by kind are miscounted";
    return used == page->mapcount ? NULL : "count of used entries is wrong";
}

static const char *check_table(struct check *c, pte_t *table, unsigned level, u64 base, bool rw, bool own)
{
    struct page *page = virt_to_page(table);
    bool root = level == pt_levels();
    u64 kinds[NR_RSS] = {0};
    s32 used = 0;
    const char *bad = check_head(c, page, level, rw, own);

    if (bad)
        return bad;
    if (!root)
        c->tables++;
    for (unsigned i = 0; i < (root ? PT_USER_ENTRIES : PT_ENTRIES); i++) {
        pte_t e = pte_load(table + i);
        u64 addr = base + i * pt_span(level);
        const char *err = NULL;
        if (pte_none(e))
            continue;
        used++;
        if (level == 1) {
            err = check_leaf(c, addr, e);
            if (!pte_special(e))
                kinds[pt_kind(e)]++;
        } else if (!pt_is_table(e)) {
            err = "upper entry that points to no table";
        } else {
            err = check_table(c, pt_below(e), level - 1, addr, pt_is_own(e), own && pt_is_own(e));
        }
        if (err)
            return err;
    }
    if (level == 1)
        return check_counts(page, used, kinds);
    if (level == 2 && (bad = check_sums(page)))
        return bad;
    return used == page->mapcount ? NULL : "count of used entries is wrong";
}

const char *pt_validate(struct mm *mm)
{
    struct check c = {.mm = mm};
    const char *err = check_table(&c, pt_root(mm), pt_levels(), 0, true, true);
    if (!err && READ_ONCE(mm->pgtables_bytes) != (s64)(c.tables * PAGE_SIZE))
        err = "pgtables_bytes is not the size of the tables";
    return err;
}

/* ---- references ---- */

/*
 * Two rounds over all address spaces, in page->next, which is 0 before and after: the first counts the entries that point to
 * a table, the second compares. What lies below is looked at once in each.
 */
static const char *census(pte_t *table, unsigned level, bool compare)
{
    const char *err = NULL;
    for (unsigned i = 0; i < (level == pt_levels() ? PT_USER_ENTRIES : PT_ENTRIES); i++) {
        pte_t e = pte_load(table + i);
        if (!pt_is_table(e))
            continue;
        struct page *below = virt_to_page(pt_below(e));
        u32 seen = below->next;
        below->next = compare ? 0 : seen + 1;
        if (compare && !seen)
            continue;
        if (compare && seen != (u32)page_refs(below))
            err = "a table's references are not the entries that point to it";
        if (level > 2 && (compare || !seen)) {
            const char *deeper = census(pt_below(e), level - 1, compare);
            err = err ? err : deeper;
        }
    }
    return err;
}

const char *pt_validate_sharing(void)
{
    struct mm *mm;
    const char *err = NULL;
    spin_lock(&mm_list_lock);
    list_for_each_entry (mm, &mm_list, list)
        census(pt_root(mm), pt_levels(), false);
    list_for_each_entry (mm, &mm_list, list) {
        const char *bad = census(pt_root(mm), pt_levels(), true);
        err = err ? err : bad;
    }
    spin_unlock(&mm_list_lock);
    return err;
}
