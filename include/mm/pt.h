/* SPDX-License-Identifier: MIT */
/*
 * Page tables. One walker for four and five levels; levels count from the leaf (port/pte.h). Bodies in mm/pt/.
 *
 * A table page (PG_table): refcount 1 (more while shared), mapcount = entries that are not empty, pt_lock guards its
 * entries, owner = the mm. Entries of a table are changed only under its pt_lock, except by the MMU (A and D).
 *
 * Invariants
 *  T1. A table is freed only after it was unlinked from above and every CPU flushed.
 *  T2. Tables that cover an area stay while the area is in the tree: walkers with the vma locked, or with the i_mmap or
 *      anon_vma lock of a linked area, need no other protection to walk down.
 *  T3. pgtables_bytes is 4096 times the tables of the mm but for the root.
 *  T4. An area leaves in this order: write-lock or detach (no new entries), pt_zap_range, unlinked from anon_vma and i_mmap
 *      (no new walkers), pt_free_tables, gather_end.
 *  T5. An entry that points to a table is address | PTE_TABLE, without software bits: A is set from the start, and the
 *      MMU never sets D there.
 *
 * pt_locks of two tables are nested only child's before parent's at fork, and by ascending address otherwise; the inner one
 * with spin_lock_nested().
 */
#ifndef MM_PT_H
#define MM_PT_H
#include <mm/page.h>
#include <mm/vma.h>

/* A locked entry of a level-1 table. */
struct pt_slot {
    pte_t *pte;
    struct page *table; /* its pt_lock is held */
};

/* Level-1 entry for addr, making missing tables; NULL when out of memory. May sleep (GFP_KERNEL). Not locked. */
pte_t *pt_alloc(struct mm *mm, u64 addr);
/* Level-1 entry, NULL when a table is missing or a huge leaf covers addr. Not locked. */
pte_t *pt_find(struct mm *mm, u64 addr);
static inline struct page *pt_table_page(pte_t *entry)
{
    return virt_to_page((void *)((uptr)entry & PAGE_MASK));
}
static inline void pt_lock(struct page *table)
{
    spin_lock(&table->pt_lock);
}
static inline void pt_unlock(struct page *table)
{
    spin_unlock(&table->pt_lock);
}
/* Under pt_lock: fills an empty entry / changes a used one / empties one, keeping the table's count of used entries. */
static inline void pt_install(pte_t *p, pte_t e)
{
    pt_table_page(p)->mapcount++;
    pte_store(p, e);
}
static inline pte_t pt_take(pte_t *p)
{
    pt_table_page(p)->mapcount--;
    return pte_exchange(p, (pte_t){0});
}

/* A new root table with the kernel half, 0 or -ENOMEM; and its end (no user tables may be left). */
int pt_init_root(struct mm *mm);
void pt_free_root(struct mm *mm);

/*
 * The gather: pages and tables that may be freed only after the flush. On the stack of the caller.
 *   gather_begin · (zap_range | free_tables)* · gather_end
 */
#define GATHER_BATCH 120
#define GATHER_CHUNKS 16 /* further arrays of 511 pages, taken while memory is there, before a flush is forced */
struct gather_chunk;
struct gather {
    struct mm *mm;
    u64 start, end; /* range to flush; none when start >= end */
    bool freed_tables, full_mm;
    unsigned nr_chunks;
    struct page **next, **limit; /* the free slots of the newest array */
    struct gather_chunk *chunks; /* newest first */
    struct page *tables;         /* linked by page->next */
    struct page *pages[GATHER_BATCH];
};
/* full_mm: the whole space is going away and no user code runs in it: one flush of everything suffices. */
void gather_begin(struct gather *g, struct mm *mm, bool full_mm);
/* Flushes and frees what has been gathered so far. */
void gather_flush(struct gather *g);
void gather_end(struct gather *g);
/* Out of room: takes another array, or flushes. */
void gather_more(struct gather *g);
/* The caller's page reference is handed over. May flush; never sleeps. */
static inline void gather_page(struct gather *g, struct page *page)
{
    if (unlikely(g->next == g->limit))
        gather_more(g);
    *g->next++ = page;
}
/* [start,end) had present entries that are gone or weaker now. */
static inline void gather_range(struct gather *g, u64 start, u64 end)
{
    if (start < g->start)
        g->start = start;
    if (end > g->end)
        g->end = end;
}

/* Empties the entries of [start,end) within vma: rmap, rss, counters, dirty bits to pages, swap entries freed. */
void pt_zap_range(struct gather *g, struct vma *vma, u64 start, u64 end);
/* The same for truncation: faults may be under way in the area, and private copies (anonymous pages) stay unless even_cows. */
void pt_zap_mapping(struct gather *g, struct vma *vma, u64 start, u64 end, bool even_cows);
/* Frees tables that cover only [floor, ceiling) around the hole [start,end); floor/ceiling: neighbours' bounds. */
void pt_free_tables(struct gather *g, u64 start, u64 end, u64 floor, u64 ceiling);
/* Copies vma's entries to dst's area for fork; private pages become write-protected in both. 0 or -ENOMEM (dst half filled:
 * the caller zaps it). Both mmap_locks held for writing. The caller flushes the parent afterwards. */
int pt_copy_range(struct vma *dst, struct vma *src);
/* Changes protection of present entries to vma->prot of today; write permission is only taken away, never given, here
 * (faults give it), except for shared-writable or already-exclusive dirty pages where can_write says so. Flushes. */
void pt_protect_range(struct vma *vma, u64 start, u64 end);
/* Moves entries (mremap). Tables of the target are made: returns bytes moved; less than len when out of memory. Flushes. */
u64 pt_move_range(struct vma *old_vma, u64 old_addr, struct vma *new_vma, u64 new_addr, u64 len);

/* Flush of [start,end) of one mm; counts nr_tlb_* events. */
void tlb_flush_range(struct mm *mm, u64 start, u64 end);
void tlb_flush_page(struct mm *mm, u64 addr);
void tlb_flush_mm(struct mm *mm);
/* Also the caches of upper-level entries: tables of the range are about to be freed or moved. */
void tlb_flush_tables(struct mm *mm, u64 start, u64 end);

/* Kernel space (vmalloc): entries of page pointers. 0 or -ENOMEM. */
int pt_map_kernel(u64 va, struct page **pages, u64 n, u64 bits);
void pt_unmap_kernel(u64 va, u64 n);
/* Bits for kernel data: present, writable, no-execute, global where the CPU has it. */
u64 pt_kernel_bits(void);

/* Calls fn for each non-empty entry (any level: leaf entries only) of [start,end), lowest first; stops when fn returns non-zero. */
int pt_for_each(struct mm *mm, u64 start, u64 end, int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e), void *ctx);
const char *pt_validate(struct mm *mm);

/* The page of zeros that anonymous reads share: PTE_SPECIAL, uncounted. */
extern struct page *zero_page;
extern pfn_t zero_pfn;
int pt_boot(void);
#endif
