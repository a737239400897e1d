/* SPDX-License-Identifier: MIT */
/* What the files of mm/pt share: stepping between tables, table pages. */
#ifndef MM_PT_INTERNAL_H
#define MM_PT_INTERNAL_H
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/swap.h>

/* The user half of a root table; the rest belongs to the kernel. */
#define PT_USER_ENTRIES (PT_ENTRIES / 2)

/*
 * An entry that points to a user table is address | PTE_TABLE and nothing else, or at levels 2 and 3 the same without PTE_RW (T5),
 * so one comparison of its low byte tells it from an empty entry and from a huge leaf.
 */
BUILD_ASSERT(PTE_TABLE < 256 && !(PTE_TABLE & PTE_PS));
static inline bool pt_is_table(pte_t e)
{
    return ((u8)e.v | PTE_RW) == PTE_TABLE;
}
/* The same, and the table below is nobody else's. */
static inline bool pt_is_own(pte_t e)
{
    return (u8)e.v == PTE_TABLE;
}
/* The table that an entry points to. */
static inline pte_t *pt_below(pte_t e)
{
    return phys_to_virt(e.v & ~0xffUL);
}
/*
 * Of a table: it is, or once was, shared, or a table below it was linked to another address space. Tables with the mark, and
 * tables taken out of one, are freed only after a grace period, unless they are fresh.
 */
#define PG_table_shared PG_workingset
/* Of a level-2 table that is shared: owner holds the sums of pt_count of the tables below (mm/pt/share.c). */
#define PG_table_summed PG_reclaim
/* A table of level 2 or higher. */
#define PG_table_upper PG_active
/* A level-1 table made below a marked table that was its mm's own, and which no other mm has seen since. */
#define PG_table_fresh PG_referenced
/* Tables above this level belong to one address space. */
#define PT_SHARE_MAX 2
/* What a table of a level covers. */
static inline u64 pt_table_span(unsigned level)
{
    return pt_span(level + 1);
}
/* The page that a leaf maps: one shift takes the address to the offset of its struct page. */
static inline struct page *pt_page(pte_t e)
{
    BUILD_ASSERT(PAGE_SIZE / sizeof(struct page) == 1 << 7);
    return (struct page *)((char *)pfn_to_page(0) + ((e.v & PTE_PFN_MASK) >> 7));
}
static inline pte_t *pt_root(const struct mm *mm)
{
    return phys_to_virt(mm->mmu.root);
}
/* Entry of level 3 for addr, NULL when a table above it is missing. Unrolled, for paths that many tables take. */
static __always_inline_fn pte_t *pt_find_3(const struct mm *mm, u64 addr)
{
    pte_t *t = pt_root(mm);
    if (pt_levels() == 5) {
        pte_t e = pte_load(t + pt_index(addr, 5));
        if (unlikely(!pt_is_table(e)))
            return NULL;
        t = pt_below(e);
    }
    pte_t e = pte_load(t + pt_index(addr, 4));
    return likely(pt_is_table(e)) ? pt_below(e) + pt_index(addr, 3) : NULL;
}
/* The same of level 2. */
static __always_inline_fn pte_t *pt_find_2(const struct mm *mm, u64 addr)
{
    const pte_t *p = pt_find_3(mm, addr);
    pte_t e = likely(p) ? pte_load(p) : (pte_t){0};
    return likely(pt_is_table(e)) ? pt_below(e) + pt_index(addr, 2) : NULL;
}
/* The entry that points to table leaves the table above: may walkers of other address spaces stand in it? */
static inline void pt_mark_seen(const struct page *above, struct page *table)
{
    if (unlikely(page_test(above, PG_table_shared)) && !page_test(table, PG_table_fresh))
        page_set(table, PG_table_shared);
}
/* First address beyond what the level's entry for addr covers, or end if that is lower. */
static inline u64 pt_step(u64 addr, u64 end, unsigned level)
{
    u64 next = (addr | (pt_span(level) - 1)) + 1;
    return min(next, end);
}
/* Index of the first entry of table from i on that is not empty; n when there is none below n. */
static inline unsigned pt_skip_empty(const pte_t *table, unsigned i, unsigned n)
{
    while (i < n) {
        if (i % 8 == 0 && i + 8 <= n) {
            const pte_t *t = table + i;
            if (!(pte_load(t).v | pte_load(t + 1).v | pte_load(t + 2).v | pte_load(t + 3).v |
                  pte_load(t + 4).v | pte_load(t + 5).v | pte_load(t + 6).v | pte_load(t + 7).v)) {
                i += 8;
                continue;
            }
        }
        if (!pte_none(pte_load(table + i)))
            return i;
        i++;
    }
    return n;
}

/* The kind that an entry counts as in pt_count and rss: it maps a page, or is a swap entry. */
static inline enum rss_kind pt_kind(pte_t e)
{
    return unlikely(pte_swap(e)) ? RSS_SWAP : page_rss_kind(pt_page(e));
}

/*
 * An upper table remembers in page->prev the lowest entry that was ever used: sweeps over sparse tables begin there. Under
 * pt_lock to change; a reader may see a number that is too high only for entries that are being installed meanwhile.
 */
#define PT_LOW_NONE PT_ENTRIES
static inline unsigned pt_low_hint(const pte_t *table)
{
    return READ_ONCE(virt_to_page(table)->prev);
}
/* Under pt_lock: an empty entry of an upper table gets its table. */
static inline void pt_install_table(pte_t *p, pte_t e)
{
    struct page *page = pt_table_page(p);
    u32 i = ((uptr)p & ~PAGE_MASK) / sizeof(pte_t);
    if (i < page->prev)
        WRITE_ONCE(page->prev, i);
    pt_install(p, e);
}

/* Entry of a level for addr, making the tables above it; NULL when out of memory. May sleep. (walk.c) */
pte_t *pt_alloc_level(struct mm *mm, u64 addr, unsigned level);
/* Entry of a level for addr, NULL when a table above it is missing. (walk.c) */
pte_t *pt_find_level(struct mm *mm, u64 addr, unsigned level);
/*
 * The next level-1 table that covers a part of [*addr, end): moves *addr up to the first address it may hold and returns
 * the entry for it. NULL when there is none. pt_next passes over tables without used entries, judged without their
 * lock: an entry that is being installed at this moment may be missed. (walk.c)
 */
pte_t *pt_next(struct mm *mm, u64 *addr, u64 end);
pte_t *pt_next_any(struct mm *mm, u64 *addr, u64 end);

/* pt_next, but passes over shared tables: after pt_own_range() they hold nothing of the range. mmap_lock held. (unshare.c) */
pte_t *pt_next_own(struct mm *mm, u64 *addr, u64 end);
/* pt_next, and whether the table may be shared: then it may be replaced by another thread's copy. (unshare.c) */
pte_t *pt_next_look(struct mm *mm, u64 *addr, u64 end, bool *maybe_shared);

/* An empty table page of mm, counted; NULL when out of memory. May sleep. (table.c) */
struct page *pt_table_alloc(struct mm *mm, unsigned level);
/* table: no entries, linked nowhere, no CPU can walk it. (table.c) */
void pt_table_free(struct mm *mm, struct page *table);
/* One sharer less, who has unlinked and flushed it; the last one empties and frees it. (table.c) */
void pt_table_put(struct page *table);
/* Hands an unlinked, empty table over. (gather.c) */
void gather_table(struct gather *g, struct page *table);
/* Hands over our reference to an unlinked shared table, which covered [base, base + span). (gather.c) */
void gather_shared(struct gather *g, struct page *table, u64 base, u64 span);

/* Makes the table below p, mm's own entry of a level (2 or 3) for addr, the mm's own, if there is one. 0 or -ENOMEM. May sleep.
 * (unshare.c) */
int pt_unshare(struct mm *mm, pte_t *p, u64 addr, unsigned level);
/* Shares src's table for addr, which has an entry of src, with dst, the child: the level of the table that is shared; 0: its
 * entries must be copied; -ENOMEM. (share.c) */
int pt_share_table(struct vma *dst, struct vma *src, u64 addr);
/* The table below p, the mm's entry of a level (2 or 3) for addr, goes to the gather with all that it holds if others share it.
 * False: it is our own, now or all the time, or gone. (sharers.c) */
bool pt_drop_shared(struct gather *g, pte_t *p, u64 addr, unsigned level);
/* One walk over sharers at a time; guards PG_table_summed, and pt_count of the tables that are shared or below one. (sharers.c) */
extern spinlock_t pt_sharers_lock;
/* Mappings by kind that a table which may be shared holds, all levels below included. Its pt_lock is held, for level 2 also
 * pt_sharers_lock. (sharers.c) */
void pt_table_rss(struct page *table, s64 rss[NR_RSS]);
/* pgtables_bytes of the table and of all below it: it is shared, or about to be. (sharers.c) */
s64 pt_table_bytes(const struct page *table);
#endif
