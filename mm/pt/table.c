/* SPDX-License-Identifier: MIT */
/*
 * Table pages: their birth and their end, and the root of an address space.
 *
 *   struct page of a table:  PG_table | refcount = entries that point to it | mapcount = used entries | pt_lock
 *       level 3 and above      owner = the mm | prev = lowest entry ever used | next = link in the gather
 *       level 2                the same, but owner = three sums of 21 bits while PG_table_summed (share.c), else nothing
 *       level 1                owner = four 16-bit counts of mappings by kind (pt_count) | next = link in the gather
 *
 * Used entries of a root are those of the user half; the kernel half is filled in once and never counted.
 * NR_PAGETABLE counts all tables of address spaces, roots too; mm->pgtables_bytes leaves the root out (T3).
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/phys.h>
#include <mm/rmap.h>
#include <mm/stat.h>
#include <port/log.h>

struct page *zero_page;
pfn_t zero_pfn;

int pt_boot(void)
{
    zero_page = alloc_page(GFP_KERNEL | GFP_ZERO);
    if (!zero_page)
        return -ENOMEM;
    zero_pfn = page_to_pfn(zero_page);
    return 0;
}

static struct page *make_table_page(struct mm *mm, unsigned level)
{
    struct page *page = alloc_zeroed_page(GFP_KERNEL | GFP_ACCOUNT);
    if (!page)
        return NULL;
    page_init_flags(page, 1u << PG_table | (level > 1 ? 1u << PG_table_upper : 0));
    page->mapcount = 0;
    page->owner = level <= PT_SHARE_MAX ? 0 : (u64)mm;
    page->next = 0;
    page->prev = PT_LOW_NONE;
    spin_init(&page->pt_lock, RANK_PT);
    stat_node_add(page_node(page), NR_PAGETABLE, 1);
    return page;
}

static void release(struct page *page)
{
    page_init_flags(page, 0);
    page->mapcount = -1;
    free_zeroed_page(page); /* no used entry: all zeros again */
}

static void release_rcu(struct rcu_head *head)
{
    release(container_of(head, struct page, rcu));
}

static void free_table_page(struct page *page)
{
    ASSERT(page->mapcount == 0 && page_refs(page) == 1);
    stat_node_add(page_node(page), NR_PAGETABLE, -1);
    if (unlikely(page_test(page, PG_table_shared)))
        rcu_call(&page->rcu, release_rcu); /* somebody may have found it through a former sharer (T2) */
    else
        release(page);
}

struct page *pt_table_alloc(struct mm *mm, unsigned level)
{
    struct page *page = make_table_page(mm, level);
    if (page)
        __atomic_fetch_add(&mm->pgtables_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    return page;
}

void pt_table_free(struct mm *mm, struct page *table)
{
    __atomic_fetch_sub(&mm->pgtables_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    free_table_page(table);
}

/* Every sharer gave the table up at the same time, so nobody was left to zap its entries. */
static void empty_abandoned(struct page *table)
{
    pte_t *p = page_to_virt(table);
    pt_lock(table); /* a walker of a former sharer may stand in it */
    for (unsigned i = 0; table->mapcount && i < PT_ENTRIES; i++) {
        if (pte_none(pte_load(p + i)))
            continue;
        pte_t e = pt_take(p + i);
        if (pte_special(e))
            continue;
        if (pte_swap(e)) {
            swap_free(pte_to_swp(e));
            continue;
        }
        rmap_remove(pt_page(e));
        page_put(pt_page(e));
    }
    table->owner = 0;
    pt_unlock(table);
}

/* The same for level 2, where nobody waits for the lock: who finds no way to it any more does not need it. */
static void empty_abandoned_upper(struct page *table)
{
    pte_t *p = page_to_virt(table);
    for (unsigned i = table->prev; table->mapcount && i < PT_ENTRIES; i++) {
        if (pte_none(pte_load(p + i)))
            continue;
        struct page *below = virt_to_page(pt_below(pt_take(p + i)));
        page_set(below, PG_table_shared); /* it was found through us */
        pt_table_put(below);
    }
    table->owner = 0;
}

void pt_table_put(struct page *table)
{
    if (__atomic_sub_fetch(&table->refcount, 1, __ATOMIC_ACQ_REL))
        return;
    if (page_test(table, PG_table_upper))
        empty_abandoned_upper(table);
    else
        empty_abandoned(table);
    table->refcount = 1; /* ours */
    free_table_page(table);
}

int pt_init_root(struct mm *mm)
{
    struct page *page = make_table_page(mm, pt_levels());
    if (!page)
        return -ENOMEM;
    mmu_init_root(page_to_virt(page));
    mm->mmu.root = page_to_phys(page);
    mm->pgtables_bytes = 0;
    return 0;
}

void pt_free_root(struct mm *mm)
{
    ASSERT(mm->pgtables_bytes == 0);
    /* A CPU that runs a kernel thread may still have it loaded. */
    if (!cpumask_empty(cpumask_load(&mm->mmu.cpus)))
        mmu_flush(&mm->mmu, 0, U64_MAX, true);
    pte_t *root = pt_root(mm);
    memset(root + PT_USER_ENTRIES, 0, PAGE_SIZE / 2);
    free_table_page(virt_to_page(root));
    mm->mmu.root = 0;
}
