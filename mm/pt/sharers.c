/* SPDX-License-Identifier: MIT */
/*
 * What sharers of a table do without copying it: give it up whole, and lose entries together. The rules are those of share.c, S1
 * to S7; here lies what keeps the RSS of each sharer exact.
 *
 *   fork      child's rss += sum(table)   ┐ under the table's pt_lock, for level 2 also under pt_sharers_lock:
 *   give up   mm's rss -= sum(table)      ┘ sum and link change at once
 *   lose      pt_count(T) -= n, and rss of each whose way leads to T; sums above T are void: under T's and pt_sharers_lock
 */
#include "pt_internal.h"
#include <mm/cache.h>
#include <mm/rmap.h>
#include <port/log.h>

spinlock_t pt_sharers_lock = SPINLOCK_INIT(RANK_PT);
static u64 sharer_walk; /* number of the walk under way; mm->sharer_seen: the last one that saw the mm */

/* ---- sums ---- */

#define SUM_BITS  21 /* of 512 * 512 mappings at most */
#define SUM_CHUNK 64

static void sum_up(struct page *table, s64 rss[NR_RSS])
{
    const pte_t *p = (const pte_t *)page_to_virt(table) + ALIGN_DOWN(table->prev, SUM_CHUNK);
    for (s32 left = table->mapcount; left > 0;) {
        u64 counts = 0; /* four fields of 16 bits, at most 512 in each from each table */
        for (const pte_t *end = p + SUM_CHUNK; p != end; p++) {
            pte_t e = pte_load(p);
            if (pte_none(e))
                continue;
            if (unlikely(page_test(pt_page(e), PG_table_fresh)))
                page_clear(pt_page(e), PG_table_fresh); /* others will see it */
            counts += READ_ONCE(pt_page(e)->owner);
            left--;
        }
        for (unsigned k = 0; k < NR_RSS; k++)
            rss[k] += (s64)(counts >> (16 * k) & 0xffff);
    }
}

void pt_table_rss(struct page *table, s64 rss[NR_RSS])
{
    const u64 mask = (1UL << SUM_BITS) - 1;
    for (unsigned k = 0; k < NR_RSS; k++)
        rss[k] = page_test(table, PG_table_upper) ? 0 : (s64)pt_counted(table, k);
    if (!page_test(table, PG_table_upper))
        return;
    if (page_test(table, PG_table_summed)) {
        rss[RSS_FILE] = (s64)(table->owner & mask);
        rss[RSS_ANON] = (s64)(table->owner >> SUM_BITS & mask);
        rss[RSS_SHMEM] = (s64)(table->owner >> (2 * SUM_BITS));
        return;
    }
    sum_up(table, rss);
    if (rss[RSS_SWAP]) /* no room for a fourth */
        return;
    table->owner = (u64)rss[RSS_FILE] | (u64)rss[RSS_ANON] << SUM_BITS | (u64)rss[RSS_SHMEM] << (2 * SUM_BITS);
    page_set(table, PG_table_summed);
}

s64 pt_table_bytes(const struct page *table)
{
    return (s64)PAGE_SIZE * (page_test(table, PG_table_upper) ? 1 + table->mapcount : 1);
}

/* ---- giving up ---- */

/* Both locks are held: p, with the one reference to it that we know of, is emptied. */
static void unlink_shared(struct mm *mm, pte_t *p, struct page *table)
{
    s64 rss[NR_RSS];
    bool upper = page_test(table, PG_table_upper);
    if (upper)
        spin_lock_nested(&pt_sharers_lock);
    pt_table_rss(table, rss);
    pt_take(p);
    for (unsigned k = 0; k < NR_RSS; k++)
        if (rss[k])
            rss_add(mm, k, -rss[k]);
    if (upper)
        spin_unlock(&pt_sharers_lock);
    __atomic_fetch_sub(&mm->pgtables_bytes, pt_table_bytes(table), __ATOMIC_RELAXED);
}

bool pt_drop_shared(struct gather *g, pte_t *p, u64 addr, unsigned level)
{
    struct page *above = pt_table_page(p), *table = NULL;
    bool dropped = false;
    if (!g->full_mm)
        mm_update_hiwater(g->mm); /* it may lose a lot */
    pt_lock(above);
    rcu_read_lock();
    pte_t e = pte_load(p);
    if (pt_is_table(e) && !pt_is_own(e)) {
        table = virt_to_page(pt_below(e));
        spin_lock_nested(&table->pt_lock);
        if (pte_load(p).v == e.v) {
            dropped = page_refs(table) > 1;
            if (dropped) {
                unlink_shared(g->mm, p, table);
            } else { /* S4 */
                if (level == 3)
                    page_clear(table, PG_table_summed);
                pte_store(p, (pte_t){e.v | PTE_RW});
            }
        }
        spin_unlock(&table->pt_lock);
    }
    rcu_read_unlock();
    pt_unlock(above);
    if (dropped)
        gather_shared(g, table, ALIGN_DOWN(addr, pt_span(level)), pt_span(level));
    return dropped;
}

/* ---- the sharers of a table ---- */

/* The level-2 entry of mm for addr if it leads to the table. Inside RCU. */
static pte_t *way_to(struct mm *mm, u64 addr, const struct page *table)
{
    pte_t *p = pt_find_level(mm, addr, 2);
    pte_t e = p ? pte_load(p) : (pte_t){0};
    return pt_is_table(e) && virt_to_page(pt_below(e)) == table ? p : NULL;
}

/* While an area is cut, both parts may hold addr: who counts stamps the mm. */
static bool covers(const struct vma *v, u64 addr)
{
    return addr >= READ_ONCE(v->node.start) && addr < READ_ONCE(v->node.end);
}

static void lose(struct page *table, struct vma *v, u64 start, u64 end, const s64 lost[NR_RSS])
{
    struct mm *mm = v->mm;
    if (!covers(v, start) || mm->sharer_seen == sharer_walk)
        return;
    pte_t *p = way_to(mm, start, table);
    if (p) {
        mm->sharer_seen = sharer_walk;
        struct page *above = pt_table_page(p);
        if (page_test(above, PG_table_summed))
            page_clear(above, PG_table_summed);
        for (unsigned k = 0; k < NR_RSS; k++)
            if (lost[k])
                rss_add(mm, k, -lost[k]);
    }
    tlb_flush_range(mm, start, end); /* S5: who has just unlinked it, too */
}

void pt_sharers_lost(struct page *table, struct vma *vma, bool by_file, u64 start, u64 end, const s64 lost[NR_RSS])
{
    struct vma *v;
    rcu_read_lock();
    spin_lock_nested(&pt_sharers_lock);
    sharer_walk++;
    for (unsigned k = 0; k < NR_RSS; k++)
        pt_count(table, k, -lost[k]);
    if (by_file) {
        list_for_each_entry (v, &vma->mapping->i_mmap, mapping_link)
            lose(table, v, start, end, lost);
    } else {
        list_for_each_entry (v, &vma->anon_vma->vmas, anon_link)
            lose(table, v, start, end, lost);
    }
    spin_unlock(&pt_sharers_lock);
    rcu_read_unlock();
}

u32 pt_sharers(struct vma *vma, u64 addr)
{
    struct vma *v;
    u32 n = 0;
    if (!vma->anon_vma || pt_state(vma->mm, addr) != PT_SHARED)
        return 1;
    spin_lock(&vma->anon_vma->lock);
    rcu_read_lock();
    pte_t *p = pt_find(vma->mm, addr);
    spin_lock(&pt_sharers_lock);
    sharer_walk++;
    list_for_each_entry (v, &vma->anon_vma->vmas, anon_link) {
        if (!p || !covers(v, addr) || v->mm->sharer_seen == sharer_walk || !way_to(v->mm, addr, pt_table_page(p)))
            continue;
        v->mm->sharer_seen = sharer_walk;
        n++;
    }
    spin_unlock(&pt_sharers_lock);
    rcu_read_unlock();
    spin_unlock(&vma->anon_vma->lock);
    return max(n, 1u);
}

const struct page *pt_table_at(struct mm *mm, u64 addr)
{
    rcu_read_lock();
    pte_t *p = pt_find(mm, addr);
    rcu_read_unlock();
    return p ? pt_table_page(p) : NULL;
}

bool pt_range_shared(struct mm *mm, u64 start, u64 end, const struct page *except)
{
    for (u64 addr = start; addr < end; addr = pt_step(addr, end, 2))
        if (pt_state(mm, addr) == PT_SHARED && pt_table_at(mm, addr) != except)
            return true;
    return false;
}
