/* SPDX-License-Identifier: MIT */
/*
 * Swap: pages without a file, kept on a device. Bodies in mm/swap/; the fault's side is mm/fault/swap.c, shared memory's
 * mm/shmem/swap.c.
 *
 *   area ── clusters of 256 slots ── a slot holds one page
 *   slot's word    63 bad  62 cached  61 taken  55..32 count of entries  31..0 frame (cached) or the shadow that reclaim left
 *   entry          in a page table: P, PROTNONE and SPECIAL clear, not zero (pte_swap), offset where the frame number was;
 *                  in the tree of shared memory: xa_mk_value(swp_entry_t.v)
 *   swap cache     slot -> frame by the slot's word, frame -> slot by an array: neither direction allocates
 *
 * The way out, for a page that is locked, uptodate, and of which the caller holds one reference:
 *
 *   swap_add ── rmap_unmap: entries become swap entries ── swap_write ── page_unlock ... writeback ends ── swap_remove ── page_put
 *
 * and back: fault ── swap_in: found in the swap cache or read with neighbours ── mapped; the last entry frees the slot,
 * or a clean page keeps it so that it need not be written again.
 *
 * Invariants
 *  W1. A slot's count is the number of swap entries in page tables (a shared table's once, as mapcount) and trees that name it.
 *      A slot is free exactly when it has neither entries nor a cached page.
 *  W2. A page with PG_swapcache is the one that its slot's word names, and the cache holds one reference. Both change only with the
 *      page locked. Outside of the page lock it is in no other cache: page_mapping() is NULL.
 *  W3. Entries of a slot come from another entry (fork), or from its page while that is locked. So a count of 0, seen with the
 *      page locked, stays 0.
 *  W4. A cached page without PG_dirty and PG_writeback is on the device. Who writes to a page through an entry leaves D there,
 *      and rmap_unmap() passes it on.
 *  W5. What is read or written is cached and locked, or under writeback: so an area without used slots has nothing under way.
 *  W6. An area is found by its number under RCU, and stays while one of its slots is known to be in use.
 *
 * Locks: RANK_SWAP: the list of areas; an area's clusters. The words change by atomic operations. PG_locked as said.
 */
#ifndef MM_SWAP_H
#define MM_SWAP_H
#include <lib/list.h>
#include <mm/page.h>
#include <port/pte.h>
#include <port/sched.h>

/* ---- entries ---- */

typedef struct {
    u64 v; /* area << SWAP_OFFSET_BITS | offset; 0: none */
} swp_entry_t;

#define SWAP_OFFSET_BITS 27 /* slots of 4 KiB: an area ends at 512 GiB */
#define SWAP_MAX_SLOTS   (1UL << SWAP_OFFSET_BITS)
#define MAX_SWAP_AREAS   23 /* Linux: 32 kinds of entries less those that are no swap */

static inline swp_entry_t swp_entry(unsigned type, u64 offset)
{
    return (swp_entry_t){(u64)type << SWAP_OFFSET_BITS | offset};
}
static inline unsigned swp_type(swp_entry_t e)
{
    return (unsigned)(e.v >> SWAP_OFFSET_BITS);
}
static inline u64 swp_offset(swp_entry_t e)
{
    return e.v & (SWAP_MAX_SLOTS - 1);
}
static inline swp_entry_t pte_to_swp(pte_t e)
{
    return swp_entry((unsigned)(e.v >> PTE_SWAP_TYPE_SHIFT) & 31, pte_pfn(e));
}
/* bits: of PTE_SWAP_BITS. */
static inline pte_t swp_to_pte(swp_entry_t e, u64 bits)
{
    return (pte_t){(u64)swp_type(e) << PTE_SWAP_TYPE_SHIFT | swp_offset(e) << PAGE_SHIFT | bits};
}

/* ---- the way out: reclaim calls these ---- */

/* Free slots, all areas together; 0 without swap. */
s64 swap_free_pages(void);
/* Pages that areas in use have room for, without bad ones. */
u64 swap_total_pages(void);

/*
 * Gives page a slot and puts it into the swap cache: PG_swapcache, PG_dirty, one reference. page: locked, uptodate, anonymous or
 * of shared memory, not under writeback, not in the swap cache. 0 or -ENOSPC. Allocates nothing, does not sleep.
 * A page of shared memory stays in its mapping, too, until swap_write(): who gives up calls swap_remove() before page_unlock().
 */
int swap_add(struct page *page);

/* Pages that are to be written together. On the caller's stack; {NULL} to begin with. */
struct swap_io;
struct swap_plug {
    struct swap_io *io;
};
/*
 * Writes page if it is dirty: PG_writeback until that is done, which nobody waits for. page: locked, PG_swapcache, no entry maps it,
 * and the caller's reference is the only one beside the caches'. Shared memory leaves its mapping for the swap entry here.
 * 0; -EAGAIN: somebody else has a reference, or it is mapped: it stays as it was, but shared memory is out of the swap cache
 * again. May sleep for room on the device; never for memory. What is plugged is written at once only when it is not
 * adjacent: swap_flush() before the caller waits for anything, ends its batch, or waits for this page. plug may be NULL.
 */
int swap_write(struct page *page, struct swap_plug *plug);
/* Sends off what is plugged. */
void swap_flush(struct swap_plug *plug);

/*
 * page, which is locked and PG_swapcache, leaves the swap cache. A slot without entries is freed, whoever uses the page (a writer
 * wants it for himself, or nobody wants it any more); with entries the page has to be clean, unmapped, and the caller's reference
 * the only one beside the cache's: then shadow (0: none) stays in the slot for swap_in(). False: it stays in the swap cache.
 */
bool swap_remove(struct page *page, u32 shadow);
/*
 * A page in the swap cache, with no references but that of the one entry that maps it and the cache's, leaves it if no swap entry wants it
 * and nobody has it locked. False: it stays. Its pt_lock held. No sleep.
 */
bool swap_try_leave(struct page *page);
/* Entries of the cached page's slot. Page locked: 0 stays 0. */
u32 swap_count(struct page *page);
/* The slot of a page with PG_swapcache, which is locked. */
swp_entry_t page_swap_entry(const struct page *page);
/* page may have lost its last mapping: if it is in the swap cache and nothing else wants it, it goes. Needs no reference. No sleep. */
void swap_drop_unused(struct page *page);

/* ---- entries in tables and trees ---- */

/* One more entry of a slot that has one. Cannot fail. */
void swap_dup(swp_entry_t e);
/* One entry less; the last one frees the slot, and the cached page if nobody has it locked. No sleep. */
void swap_free(swp_entry_t e);
/* The same for who has the page locked: it stays in the swap cache. */
void swap_free_cached(swp_entry_t e);
/* The locked, cached page got its first entry, or one more. */
void swap_add_entry(struct page *page);
/* Entries of the slot, for smaps; a look without locks, 0 when it is free. */
u32 swap_entries(swp_entry_t e);
/* Does the locked page hold what e names? */
static inline bool page_is_swap(const struct page *page, swp_entry_t e)
{
    return page_test(page, PG_swapcache) && page_swap_entry(page).v == e.v;
}

/* ---- the way in ---- */

/* The cached page of a slot, referenced, perhaps locked and on its way in; NULL: not cached. No sleep. */
struct page *swap_find(swp_entry_t e);
/*
 * swap_find, or the page is read, with neighbours on the device (sysctl_page_cluster); *major is set then. Returned while it is being
 * read: page_lock() waits for it; then the caller checks page_is_swap() and PG_uptodate. NULL: the slot has no entry any more,
 * look again. ERR_PTR(-ENOMEM). May sleep.
 */
struct page *swap_in(swp_entry_t e, bool *major);
/* page, locked and cached, is not uptodate: reads it once more, alone. It is locked again on return. 0 or -EIO. May sleep. */
int swap_reread(struct page *page);
/* Begins to read slots [first, ...) of neighbours; nobody waits. MADV_WILLNEED. */
void swap_read_ahead(swp_entry_t e);
extern u64 sysctl_page_cluster; /* 1 << pages at most */

/* ---- shared memory (mm/shmem/swap.c) ---- */

struct address_space;
void shmem_swap_boot(void);
/* For validators. */
void shmem_for_each_swap(void (*fn)(void *ctx, swp_entry_t e), void *ctx);
/* page, locked, unmapped, in its mapping and in the swap cache: a swap entry takes its place in the mapping. 0 or -EAGAIN. */
int shmem_swap_out(struct page *page);
/* The page of m at index comes back from the entry that its tree had. 0 (look again), -ENOMEM, -EIO. May sleep. */
int shmem_swap_in(struct address_space *m, u64 index, swp_entry_t e, bool *major);
/* All swap entries of the area come back. 0, -ENOMEM, -EIO, -EINTR. May sleep. */
int shmem_unuse(unsigned type);
/* m ends: waits until nobody is bringing its pages back. May sleep. */
void shmem_swap_forget(struct address_space *m);

/* ---- areas: the home's side ---- */

#define SWAP_IO_PAGES 32
#define SWAP_NR_IO    16

/* A transfer of neighbouring slots. */
struct swap_io {
    struct swap_area *area;
    u64 first;      /* slot */
    unsigned n;
    bool write;
    u32 busy;
    struct page *pages[SWAP_IO_PAGES];
    u64 home[];     /* swap_setup.io_size bytes */
};

struct swap_ops {
    /* Begins io; swap_io_done() follows, in any context. May sleep for room, allocates nothing that waits for memory. */
    void (*submit)(struct swap_area *a, struct swap_io *io);
    /* Tells the device that n slots from first on are not needed. May sleep. NULL: it does not want to know. */
    void (*discard)(struct swap_area *a, u64 first, u64 n);
};
void swap_io_done(struct swap_io *io, int err);

struct swap_cluster;
struct swap_cluster_list {
    u32 head, tail; /* number + 1 */
};
struct swap_cpu {
    u32 cluster; /* number + 1 of the one that this CPU fills, 0: none */
    u32 next;    /* its slot to begin at */
};

struct swap_area {
    unsigned type;
    s32 prio;
    u32 flags;             /* SWAP_AREA_* */
    u64 max;               /* offsets are below; 0 is the header */
    u64 pages;             /* that can be used */
    u64 inuse;             /* of these; lock */
    u64 *slots;            /* words, to a multiple of a cluster */
    struct swap_cluster *clusters;
    u32 nr_clusters;
    spinlock_t lock;       /* clusters, lists, cpu, inuse */
    struct swap_cluster_list empty, partial, discard;
    struct swap_cpu *cpu;
    struct swap_io *io[SWAP_NR_IO];
    struct waitq io_wait, discard_wait;
    const struct swap_ops *ops;
    void *home;
    struct list_head link; /* by falling priority; the areas' lock */
};
#define SWAP_AREA_WRITABLE 1u /* gives out slots */
#define SWAP_AREA_DISCARD  2u /* clusters that become empty are discarded before they are used again */

struct swap_setup {
    u64 max;            /* slots, header included */
    const u32 *bad;     /* their numbers, within 1 .. max - 1 */
    u32 nr_bad;
    s32 prio;           /* 0..32767; negative: below all others so far */
    bool discard;
    const struct swap_ops *ops;
    size_t io_size;     /* bytes that the home needs beside each transfer */
    void *home;
};
/* A new area, not yet giving out slots; ERR_PTR: -ENOMEM, -EPERM (too many), -EINVAL (no usable slot). May sleep. */
struct swap_area *swap_area_alloc(const struct swap_setup *setup);
/* From now on it gives out slots. */
void swap_area_enable(struct swap_area *a, s32 prio);
/* Gives out none, and brings back what is in it. 0; -ENOMEM, -EINTR, -EIO: it gives out slots as before. May sleep. */
int swap_area_disable(struct swap_area *a);
/* Not enabled, without used slots. May sleep. */
void swap_area_free(struct swap_area *a);
/* Discards clusters that wait for it; false when there were none. By the home's thread. May sleep. */
bool swap_discard_some(struct swap_area *a);
static inline bool swap_wants_discard(const struct swap_area *a)
{
    return READ_ONCE(a->discard.head);
}
/* Every area that gives out slots, by falling priority, then age; fn may not sleep. */
void swap_for_each_area(void (*fn)(void *ctx, const struct swap_area *a), void *ctx);

/* W1 and W2 over all address spaces and mappings; nobody else may be in the core. NULL or what is wrong. Allocates nothing. */
const char *swap_validate(void);
#endif
