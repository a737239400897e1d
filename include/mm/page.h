/* SPDX-License-Identifier: MIT */
/*
 * struct page: one per 4 KiB frame, 32 bytes (Linux: 64), and the operations that concern nothing but a page.
 *
 *   flags    bits 0..19 PG_*, 20..23 order of a compound head, 24..25 zone, 26..29 node, 30 kept on the movable pcp
 *   links    are 32-bit frame numbers, 0 = none: frame 0 is never managed. See mm/page_list.h.
 *
 *   state           refcount  mapcount            owner                      index            next/prev
 *   free in buddy   0         -1                  -                          order            buddy list
 *   free in a pcp   0         -1                  -                          -                -
 *   slab            1         objects in use      struct slab_cache          free-list head   partial list
 *   table page      >=1       entries in use      struct mm                  spinlock (pt_lock) see mm/pt/table.c
 *   anonymous       >=1       mappings - 1        struct anon_vma | 1        va >> 12, low 32 bits  lruvec
 *   cached file     >=1       mappings - 1        struct address_space       page offset      lruvec
 *   compound tail   0         -1                  head page | 2              -                -
 *
 * Invariants
 *  P1. refcount > 0 exactly while somebody may use the frame; the free lists hold frames of refcount 0.
 *  P2. mapcount + 1 is the number of present user entries that map the page (zero page and PTE_SPECIAL excepted).
 *  P3. refcount >= mapcount + 1, plus one for the page cache.
 *  P4. index holds the low 32 bits of the page offset: a file is at most 16 TiB; for anonymous pages rmap checks
 *      the entry it finds, so that the truncated bits can't mislead it.
 * Who may change what: flags atomically; owner and index by whoever holds PG_locked or the only reference.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H
#include <lib/types.h>
#include <port/page.h>
#include <port/mem.h>
#include <port/lock.h>

struct address_space;
struct anon_vma;
struct mm;

struct page {
    u32 flags;
    s32 refcount;
    s32 mapcount;
    union {
        u32 index;
        u32 order;          /* free in buddy */
        spinlock_t pt_lock; /* table page */
    };
    union {
        struct {
            u64 owner;
            u32 next, prev;
        };
        struct rcu_head rcu; /* slab page waiting for a grace period */
    };
};
BUILD_ASSERT(sizeof(struct page) == 32);

enum page_flag {
    PG_locked,     /* page lock (mm/cache/page_lock.c) */
    PG_waiters,    /* somebody sleeps for PG_locked or PG_writeback */
    PG_uptodate,   /* contents are those of the file */
    PG_dirty,
    PG_writeback,
    PG_lru,        /* on an lruvec list */
    PG_active,
    PG_referenced,
    PG_swapbacked, /* anonymous or shmem: goes to swap, not to a file */
    PG_swapcache,
    PG_unevictable,
    PG_mlocked,
    PG_workingset,
    PG_reclaim,
    PG_buddy,      /* head of a free block */
    PG_slab,
    PG_table,      /* page table */
    PG_head,       /* compound head */
    PG_reserved,   /* never managed: firmware, kernel image */
    PG_readahead,  /* who comes to this page of a file starts the next window (mm/cache/readahead.c) */
    NR_PAGE_FLAGS
};
BUILD_ASSERT(NR_PAGE_FLAGS <= 20);
#define PAGE_ORDER_SHIFT 20
#define PAGE_ZONE_SHIFT  24
#define PAGE_NODE_SHIFT  26
#define PAGE_PCP_MOVABLE (1u << 30)
#define PAGE_PCP_ZEROED  (1u << 31)
#define PAGE_FLAGS_MASK  ((1u << PAGE_ORDER_SHIFT) - 1)

#define PAGE_OWNER_ANON 1UL
#define PAGE_OWNER_TAIL 2UL
#define PAGE_OWNER_BITS 3UL

static inline pfn_t page_to_pfn(const struct page *page)
{
    return (pfn_t)(page - memmap);
}
static inline struct page *pfn_to_page(pfn_t pfn)
{
    return memmap + pfn;
}
static inline phys_t page_to_phys(const struct page *page)
{
    return page_to_pfn(page) << PAGE_SHIFT;
}
static inline void *page_to_virt(const struct page *page)
{
    return phys_to_virt(page_to_phys(page));
}
static inline struct page *virt_to_page(const void *va)
{
    return pfn_to_page(virt_to_phys(va) >> PAGE_SHIFT);
}

static inline bool page_test(const struct page *page, enum page_flag f)
{
    return READ_ONCE(page->flags) & (1u << f);
}
/* Atomic. */
static inline void page_set(struct page *page, enum page_flag f)
{
    __atomic_fetch_or(&page->flags, 1u << f, __ATOMIC_RELAXED);
}
static inline void page_clear(struct page *page, enum page_flag f)
{
    __atomic_fetch_and(&page->flags, ~(1u << f), __ATOMIC_RELEASE);
}
static inline bool page_test_and_set(struct page *page, enum page_flag f)
{
    return __atomic_fetch_or(&page->flags, 1u << f, __ATOMIC_ACQ_REL) & (1u << f);
}
static inline bool page_test_and_clear(struct page *page, enum page_flag f)
{
    return __atomic_fetch_and(&page->flags, ~(1u << f), __ATOMIC_ACQ_REL) & (1u << f);
}
/* Not atomic: only while nobody else can see the page. */
static inline void page_init_flags(struct page *page, u32 bits)
{
    WRITE_ONCE(page->flags, (READ_ONCE(page->flags) & ~PAGE_FLAGS_MASK) | bits);
}

static inline unsigned page_zone_index(const struct page *page)
{
    return (READ_ONCE(page->flags) >> PAGE_ZONE_SHIFT) & 3;
}
static inline unsigned page_node(const struct page *page)
{
    return (READ_ONCE(page->flags) >> PAGE_NODE_SHIFT) & 15;
}
/* Zone and node together: an index below 64, node * 4 + zone. */
static inline unsigned page_zone_slot(const struct page *page)
{
    return (READ_ONCE(page->flags) >> PAGE_ZONE_SHIFT) & 63;
}
static inline unsigned page_order(const struct page *page)
{
    return (READ_ONCE(page->flags) >> PAGE_ORDER_SHIFT) & 15;
}

/* The anon_vma or address_space behind a page; NULL when it has the other kind or none. */
static inline struct anon_vma *page_anon_vma(const struct page *page)
{
    u64 o = READ_ONCE(page->owner);
    return (o & PAGE_OWNER_BITS) == PAGE_OWNER_ANON ? (struct anon_vma *)(o - PAGE_OWNER_ANON) : NULL;
}
static inline struct address_space *page_mapping(const struct page *page)
{
    u64 o = READ_ONCE(page->owner);
    return (o & PAGE_OWNER_BITS) ? NULL : (struct address_space *)o;
}
static inline bool page_is_anon(const struct page *page)
{
    return READ_ONCE(page->owner) & PAGE_OWNER_ANON;
}
static inline struct page *page_head(struct page *page)
{
    u64 o = READ_ONCE(page->owner);
    return unlikely(o & PAGE_OWNER_TAIL) ? (struct page *)(o & ~PAGE_OWNER_BITS) : page;
}
static inline bool page_mapped(const struct page *page)
{
    return READ_ONCE(page->mapcount) >= 0;
}

/* References. page_get needs one already held; page_try_get is for lockless finders and fails on a free page. */
static inline void page_get(struct page *page)
{
    __atomic_fetch_add(&page->refcount, 1, __ATOMIC_RELAXED);
}
static inline bool page_try_get(struct page *page)
{
    s32 r = READ_ONCE(page->refcount);
    while (r > 0)
        if (__atomic_compare_exchange_n(&page->refcount, &r, r + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    return false;
}
/* Acquire: who finds himself the last holder comes after all that the others did to the page. */
static inline s32 page_refs(const struct page *page)
{
    return load_acquire(&page->refcount);
}
/* Drops one reference; the last one takes the page off its lruvec and frees it (mm/reclaim/lru.c). Never sleeps. */
void page_free_last(struct page *page);
static inline void page_put(struct page *page)
{
    if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) == 0)
        page_free_last(page);
}
#endif
