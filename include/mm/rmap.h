/* SPDX-License-Identifier: MIT */
/*
 * From a page to the entries that map it. Bodies in mm/rmap/.
 *
 * An anon_vma is shared by an area and all that descend from it by fork, split and mremap; its list holds these areas. A
 * file page is found through its address_space's i_mmap list.
 *
 *   page->owner ── anon_vma ── vmas:  parent's area ─ its other half ─ child's area ...
 *        │                              each: addr = start + (page->index - pgoff) * 4096, if inside
 *        └──────── address_space ── i_mmap: areas over the file
 *
 * Invariants
 *  R1. An area with anonymous pages has an anon_vma; the page's owner is that anon_vma, its index is vma_index() of the
 *      address in every area of the list that maps it.
 *  R2. A copy (fork, mremap) is linked behind its source and before the first entry is copied or moved, so that a walk in
 *      list order can't miss a mapping that wanders from one to the other.
 *  R3. An area stays linked until its entries are zapped; its tables are freed after it was unlinked.
 *  R4. An anon_vma dies with its last area, and its memory after a grace period.
 */
#ifndef MM_RMAP_H
#define MM_RMAP_H
#include <mm/page.h>
#include <mm/vma.h>

struct anon_vma {
    spinlock_t lock;       /* vmas, RANK_ANON_VMA */
    s32 refs;              /* areas + users who got it from a page */
    struct list_head vmas; /* vma->anon_link */
    struct rcu_head rcu;
} __aligned_to(16);

/* Makes the slab cache of anon_vmas. Once, after slab. 0 or -ENOMEM. */
int rmap_boot(void);

/* Gives vma an anon_vma: a mergeable neighbour's or a new one. 0 or -ENOMEM. The vma or mmap_lock is locked; concurrent callers are fine. */
int anon_vma_prepare(struct vma *vma);
/* Links a copy (fork, split) of src to src's anon_vma, if any. Cannot fail. */
void anon_vma_clone(struct vma *dst, struct vma *src);
void anon_vma_unlink(struct vma *vma);
/* vma->anon_id of an area that gets an anon_vma of its own (mm/vma/merge.c); lone: no fork made it. */
u64 anon_vma_new_id(bool lone);
#define ANON_ID_LONE 1UL
/*
 * Keeps rmap_walk() and mapping_unmap_range() away from the area: taken around changes of its bounds and pgoff (split,
 * merge, stack growth) and while its entries move. Takes i_mmap_lock of a mapped area and the anon_vma's lock; no sleeping
 * inside. vma->anon_vma must not change in between.
 */
static inline void rmap_lock_vma(struct vma *vma);
static inline void rmap_unlock_vma(struct vma *vma);

/* A new anonymous page gets its owner and its first mapping (refcount 1 is the mapping's); puts it on the lruvec. */
void rmap_add_new_anon(struct page *page, struct vma *vma, u64 addr);
/* An anonymous page that nobody refers to but the entry which was just taken away gets the owner and index of another address. */
void rmap_move_anon(struct page *page, struct vma *vma, u64 addr);
/* The counter of mm->rss[] that a mapping of the page belongs to. */
static inline enum rss_kind page_rss_kind(const struct page *page);
/* One more mapping of a page (fork; file page). Counts NR_ANON_MAPPED / NR_FILE_MAPPED when it is the first. */
static inline void rmap_add(struct page *page);
/* One mapping less. The reference is the caller's to drop. */
static inline void rmap_remove(struct page *page);

/* Calls fn(vma, addr) for every area that may map the page at addr (the entry may be empty or another's); stops on
 * non-zero and returns it. Page locked or otherwise pinned. fn may take pt locks, not sleep. */
int rmap_walk(struct page *page, int (*fn)(void *ctx, struct vma *vma, u64 addr), void *ctx);
/*
 * Entries through which the page was used since the last call: their A bits, which are cleared. *vm_flags: the flags of these areas
 * together; VM_LOCKED in it: a locked area maps the page, which is PG_mlocked now. As rmap_walk(); no sleeping.
 */
unsigned rmap_referenced(struct page *page, u64 *vm_flags);
/*
 * A page of the swap cache, locked, is mapped at addr, where its swap entry stood: owner, index, reference, mapcount. The entry itself
 * and rss are the caller's. Under pt_lock.
 */
void rmap_add_swapped(struct page *page, struct vma *vma, u64 addr);
/*
 * Removes every entry that maps the page. Returns entries removed; mapcount is then -1 unless new ones came, or it is pinned. Of an
 * anonymous page that is locked and in the swap cache swap entries take the place of the entries, and a D among them makes the
 * page dirty. Outside of the swap cache what an anonymous page holds is lost: that is for memory that may vanish (VM_DROPPABLE).
 */
unsigned rmap_unmap(struct page *page);

/*
 * Mappings of a page, each sharer of a table counted (mm/rmap/count.c). page_map_count: of a page that the caller holds a
 * reference to. map_count: of the page that vma's entry for addr maps, cheap in a series of calls with ascending addresses and
 * one counter, which begins as {0}; a number from `enough` on need not be exact. Not sleeping.
 */
struct map_counter {
    const struct vma *vma; /* the table that was looked at last covers 2 MiB from base on */
    u64 base;
    u32 sharers;
    u8 others;
};
u32 page_map_count(struct page *page);
u32 map_count(struct map_counter *c, struct vma *vma, u64 addr, struct page *page, u32 enough);

/*
 * For every mm of mm_list: do mapcounts, references, rss and the NR_*_MAPPED gauges agree with the entries that exist? NULL or
 * the text of what is wrong. Nobody else may be in the core meanwhile: mapcounts change and return. Allocates nothing.
 */
const char *rmap_validate_all(void);

#include <mm/rmap_inline.h>
#endif
