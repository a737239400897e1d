/* SPDX-License-Identifier: MIT */
/*
 * Page tables. One walker for four and five levels; levels count from the leaf (port/pte.h). Bodies in mm/pt/.
 *
 * A table page (PG_table): refcount 1 (more while shared), mapcount = entries that are not empty, pt_lock guards its
 * entries, owner: see mm/pt/table.c; of level 1: the mappings it holds of each kind (pt_count). Entries of a table are changed
 * only under its pt_lock, except by the MMU (A and D).
 *
 * Invariants
 *  T1. A table is freed only after it was unlinked from above and every CPU flushed.
 *  T2. Tables that cover an area stay while the area is in the tree: walkers with the vma locked, or with the i_mmap or
 *      anon_vma lock of a linked area, need no other protection to walk down. Except for shared tables (levels 1 and 2):
 *      another thread may replace them by a copy at any time. Who comes by pt_alloc with the area locked has own tables,
 *      which stay; all others take pt_lock_entry(), or look inside RCU.
 *  T3. pgtables_bytes is 4096 times the tables of the mm but for the root; each sharer counts a shared one.
 *  T4. An area leaves in this order: write-lock or detach (no new entries), pt_zap_range, unlinked from anon_vma and i_mmap
 *      (no new walkers), pt_free_tables, gather_end.
 *  T5. An entry that points to a table is address | PTE_TABLE, without software bits: A is set from the start, and the
 *      MMU never sets D there. An entry of level 2 or 3 without PTE_RW points to a table that may be shared
 *      (mm/pt/share.c).
 *
 * pt_locks of two tables are nested only upper before lower, child's before parent's at fork, and by ascending address
 * otherwise; the inner one with spin_lock_nested().
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
/* Finds the level-1 entry of addr and locks its table, which may be shared: then its entries may be emptied for all sharers
 * alike (pt_sharers_lost) and nothing else. NULL, nothing locked, when there is none. The area is linked or mmap_lock held. */
pte_t *pt_lock_entry(struct mm *mm, u64 addr);
/* Is the table for addr, or one above it, shared? With its pt_lock, and the mmap_lock or the area's rmap lock held: PT_OWN
 * stays true. PT_SHARED may end at any time. */
enum pt_state { PT_NONE, PT_OWN, PT_SHARED };
enum pt_state pt_state(struct mm *mm, u64 addr);
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

/* Under pt_lock: a level-1 table holds n more mappings of a kind. Goes with rss_add() of the mm, or of all sharers. */
static inline void pt_count(struct page *table, enum rss_kind kind, s64 n)
{
    table->owner += (u64)n << (16 * kind);
}
static inline u64 pt_counted(const struct page *table, enum rss_kind kind)
{
    return (table->owner >> (16 * kind)) & 0xffff;
}

/*
 * Tables of levels 1 and 2 shared by fork (mm/pt/share.c): those with at least sysctl_fork_share used entries; 0 = none.
 *
 * pt_own_range: every table with used entries in [start,end) becomes the mm's own; pt_own_edges: those of them that the range
 * covers only in part. Before entries are changed by others than faults. mmap_lock held; may sleep; 0 or -ENOMEM.
 */
extern u64 sysctl_fork_share;
int pt_own_range(struct mm *mm, u64 start, u64 end);
int pt_own_edges(struct mm *mm, u64 start, u64 end);
/*
 * Entries of [start,end) in a shared table were emptied: the table (pt_count) and all whose table it is lose `lost` mappings of
 * each kind, and all who may hold translations are flushed. vma: an area over it; by_file: the sharers are found by its mapping
 * (i_mmap_lock held), else by its anon_vma (locked). The table is locked.
 */
void pt_sharers_lost(struct page *table, struct vma *vma, bool by_file, u64 start, u64 end, const s64 lost[NR_RSS]);
/* How many address spaces reach the entry of the area at addr through the same table; 1 when there is none. mmap_lock held. */
u32 pt_sharers(struct vma *vma, u64 addr);
/* Has a table but `except` that maps a part of [start,end) several sharers, perhaps? The table that maps addr, NULL when there is
 * none. mmap_lock held, or the lock of a list that the area is linked in. */
bool pt_range_shared(struct mm *mm, u64 start, u64 end, const struct page *except);
const struct page *pt_table_at(struct mm *mm, u64 addr);

/* A new root table with the kernel half, 0 or -ENOMEM; and its end (no user tables may be left). */
int pt_init_root(struct mm *mm);
void pt_free_root(struct mm *mm);

/*
 * The gather: pages and tables that may be freed only after the flush. On the stack of the caller.
 *   gather_begin · (zap_range | free_tables)* · gather_end
 */
#define GATHER_BATCH 120
#define GATHER_SHARED 32
#define GATHER_CHUNKS 16 /* further arrays of 511 pages, taken while memory is there, before a flush is forced */
struct gather_chunk;
struct gather {
    struct mm *mm;
    u64 start, end; /* range to flush; none when start >= end */
    bool freed_tables, full_mm;
    unsigned nr_chunks, nr_shared;
    u64 floor, ceiling; /* all of it is being emptied: a shared table inside is given up whole */
    struct page **next, **limit; /* the free slots of the newest array */
    struct gather_chunk *chunks; /* newest first */
    struct page *tables;         /* linked by page->next */
    struct page *pages[GATHER_BATCH];
    struct page *shared[GATHER_SHARED]; /* tables that were given up, each with our reference */
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

/* Empties the entries of [start,end) within vma: rmap, rss, counters, dirty bits to pages, swap entries freed. Shared tables
 * that the range (or the gather's floor and ceiling) does not cover were made the mm's own before. mmap_lock held. */
void pt_zap_range(struct gather *g, struct vma *vma, u64 start, u64 end);
/* The same when the area stays: protections of userfaultfd stay where pages of a file were. All of it is the mm's own. */
void pt_zap_pages(struct gather *g, struct vma *vma, u64 start, u64 end);
/* The same for truncation: faults may be under way in the area, and private copies (anonymous pages) stay unless even_cows. */
void pt_zap_mapping(struct gather *g, struct vma *vma, u64 start, u64 end, bool even_cows);
/* Frees tables that cover only [floor, ceiling) around the hole [start,end); floor/ceiling: neighbours' bounds. */
void pt_free_tables(struct gather *g, u64 start, u64 end, u64 floor, u64 ceiling);
/* Gives dst's area the entries of vma for fork: tables are shared where they can be, else entries are copied and private
 * pages become write-protected in both. 0 or -ENOMEM (dst half filled: the caller zaps it). Both mmap_locks held for writing,
 * all areas of the parent write-locked, those of the child inserted and linked. The caller flushes the parent afterwards. */
int pt_copy_range(struct vma *dst, struct vma *src);
/* Changes protection of present entries to vma->prot of today; write permission is only taken away, never given, here
 * (faults give it), except for shared-writable or already-exclusive dirty pages where can_write says so. Flushes. After
 * pt_own_range() of the same range under the same mmap_lock. */
void pt_protect_range(struct vma *vma, u64 start, u64 end);
/* clear_refs: entries of [start,end) forget A, and their pages PG_referenced; or, with soft_dirty, SOFT_DIRTY and RW. Flushes.
 * After pt_own_range() of the same range under the same mmap_lock. */
void pt_clean_range(struct vma *vma, u64 start, u64 end, bool soft_dirty);
/* Moves entries (mremap). Tables of the target are made: returns bytes moved; less than len when out of memory. Flushes. */
u64 pt_move_range(struct vma *old_vma, u64 old_addr, struct vma *new_vma, u64 new_addr, u64 len);

/*
 * Moves the page at from_addr, if it is nobody else's, to the empty entry at to_addr; both in private anonymous areas of one mm
 * and of equal rights. 0; -EEXIST; -ENOENT (nothing there, and holes is false); -EBUSY (shared); -EFAULT (a marker); -EAGAIN (in swap); -ENOMEM.
 * mmap_lock held; may sleep.
 */
int pt_move_page(struct vma *dst, u64 to_addr, struct vma *src, u64 from_addr, bool holes);
/*
 * Write-protection for userfaultfd (mm/pt/wp.c); mmap_lock held either way, may sleep, flushes. protect: 0 or -ENOMEM (done in
 * part); markers: also where there is no page yet. resolve: takes it off, giving write permission back where a fault would.
 */
int pt_wp_protect(struct vma *vma, u64 start, u64 end, bool markers);
void pt_wp_resolve(struct vma *vma, u64 start, u64 end);

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

/* Calls fn for each non-empty entry (any level: leaf entries only) of [start,end), lowest first; stops when fn returns
 * non-zero. fn may not sleep. */
int pt_for_each(struct mm *mm, u64 start, u64 end, int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e), void *ctx);
/* The same over the whole of mm; in a series of calls for every mm the entries of a shared table are seen once. Nobody else
 * may be in the core. */
int pt_for_each_once(struct mm *mm, int (*fn)(void *ctx, u64 addr, unsigned level, pte_t e), void *ctx);
const char *pt_validate(struct mm *mm);
/* For every table of every mm: is its count of references the number of entries that point to it? Nobody else may be in the
 * core. NULL or what is wrong. */
const char *pt_validate_sharing(void);

/* The page of zeros that anonymous reads share: PTE_SPECIAL, uncounted. */
extern struct page *zero_page;
extern pfn_t zero_pfn;
int pt_boot(void);
#endif
