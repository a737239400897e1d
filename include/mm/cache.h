/* SPDX-License-Identifier: MIT */
/*
 * The page cache: pages of a file by offset. Bodies in mm/cache/. A file system embeds a struct address_space in its inode
 * and supplies mapping_ops; tmpfs and shared memory use shmem (mm/shmem.h), which has no device behind it.
 *
 * Locks: tree_lock guards pages and nrpages for writers; readers look up under RCU and take a reference with page_try_get(),
 * then check that owner and index still match. i_mmap_lock guards the list of areas. invalidate_lock: truncation holds it
 * for writing, filling a page for reading.
 */
#ifndef MM_CACHE_H
#define MM_CACHE_H
#include <lib/errseq.h>
#include <lib/list.h>
#include <lib/xarray.h>
#include <mm/page.h>
#include <mm/swap.h>

struct address_space;
struct backing_dev;
struct file_ra_state;
struct vma;

#define WRITE_PAGES_MAX 64u

struct mapping_ops {
    /*
     * Fills n pages of consecutive indexes (locked, not uptodate) from the device: sets PG_uptodate on those that succeeded.
     * Bytes past the end of file are zero. Returns 0 or -errno of the first that failed. May sleep. NULL: pages begin as zeros (shmem).
     */
    int (*read_pages)(struct address_space *m, struct page **pages, unsigned n);
    /*
     * Begins to read 1..WRITE_PAGES_MAX such pages and does not wait: each is set uptodate if it succeeded, and unlocked, in any
     * context, possibly before this returns. False: not now (no request is free), nothing was done. NULL: the device can't.
     */
    bool (*begin_read)(struct address_space *m, struct page **pages, unsigned n);
    /*
     * Writes n pages of consecutive indexes, 1..WRITE_PAGES_MAX, under writeback and locked, to the device. 0, or -errno of the first that
     * failed. May sleep, allocates nothing that waits for memory. NULL: memory only, pages stay dirty.
     */
    int (*write_pages)(struct address_space *m, struct page **pages, unsigned n);
    /* Keeps the mapping's file from ending, for the flusher; false when its end has begun. put may sleep. NULL: it can't end. */
    bool (*try_get)(struct address_space *m);
    void (*put)(struct address_space *m);
    /* A page is about to enter, or has left, the cache: limits of size (tmpfs). reserve: 0 or -ENOSPC. May be NULL. */
    int (*reserve)(struct address_space *m, u64 pages);
    void (*release)(struct address_space *m, u64 pages);
    /* A shared mapping is about to make this page writable; 0 or -errno (-ENOSPC). May be NULL. */
    int (*page_mkwrite)(struct address_space *m, struct page *page);
};

struct address_space {
    struct xarray pages;
    spinlock_t tree_lock;
    s32 i_mmap_writable; /* shared writable areas; < 0 denies */
    spinlock_t i_mmap_lock;
    struct list_head i_mmap; /* vma->mapping_link */
    u64 nrpages, nrdirty;
    u64 nrswapped;           /* AS_SHMEM: swap entries in the tree */
    struct list_head swap_link; /* mm/shmem/swap.c */
    u32 swap_busy;              /* by the same lock */
    u64 size;                /* bytes of the file; changed under invalidate_lock, read with READ_ONCE */
    struct rwsem invalidate_lock;
    const struct mapping_ops *ops;
    u32 flags;               /* AS_* */
    errseq_t wb_err;         /* write-back errors, told once to each opener */
    struct backing_dev *bdi; /* the device of the pages, mm/writeback.h; NULL: written on demand only */
    struct list_head wb_link; /* backing_dev.dirty, by its lock */
    u64 dirtied_ns;          /* when its oldest dirty page may have become dirty, by the same lock */
    u64 wb_pass;             /* the flusher's pass that was here last */
    void *host;              /* the home's inode */
} __aligned_to(16);
#define AS_SHMEM       1u /* pages are PG_swapbacked, counted as Shmem */
#define AS_UNEVICTABLE 2u /* pages stay until the file goes */
#define AS_BLOCKDEV    4u /* the cache of a block device, counted as Buffers */
#define AS_SYSV        16u /* a System V segment */
#define AS_SEALED      32u /* a seal forbids writing: no holes, no new shared mapping that writes or may */
#define AS_SECRET      8u /* pages are out of the linear map: no get_user_pages, no reading, no copy */

#define CACHE_MARK_DIRTY     XA_MARK_0
#define CACHE_MARK_WRITEBACK XA_MARK_1
#define CACHE_MARK_TOWRITE   XA_MARK_2

void mapping_init(struct address_space *m, const struct mapping_ops *ops, void *host, u32 flags);
/* Drops every page; no area may be left. May sleep. */
void mapping_destroy(struct address_space *m);

/* A present, uptodate page with a reference and not locked, or NULL. Never sleeps. */
struct page *cache_find(struct address_space *m, u64 index);
/*
 * The page at index, uptodate, referenced, not locked; read from the device if need be, alone (*major set when a device was
 * waited for; with readahead: mm/readahead.h). Errors as ERR_PTR: -ENOMEM, -EIO, -EINTR. index may lie past the end: the caller checks size.
 */
struct page *cache_get(struct address_space *m, u64 index, bool *major);
/*
 * Without a device (no read_pages): makes sure that index has a page, dirty, so that it counts as used; a new one stays not uptodate
 * until cache_get() wants it. 0, -ENOMEM or what reserve says. May sleep.
 */
int cache_reserve(struct address_space *m, u64 index);
/* out[i]: the uptodate page at index + i, referenced, or NULL; n <= 64. Returns how many are not NULL. Never sleeps. */
unsigned cache_find_present(struct address_space *m, u64 index, unsigned n, struct page **out);
/* Up to n uptodate pages from index on, without gaps and without sleeping, referenced. Returns how many (fault-around, read). */
unsigned cache_find_run(struct address_space *m, u64 index, unsigned n, struct page **out);

/*
 * A page that is the caller's alone and filled goes to index: begin, then its entries, then end (good, or it leaves again).
 * begin: 0 with the page locked and the cache's own reference taken; -EEXIST, -EFAULT (beyond the size), -ENOMEM. May sleep.
 */
int cache_fill_begin(struct address_space *m, u64 index, struct page *page);
void cache_fill_end(struct address_space *m, struct page *page, bool good);

/* vec[i]: 1 when index + i is cached and uptodate, else 0. Never sleeps. */
void cache_present(struct address_space *m, u64 index, u32 n, u8 *vec);

struct cache_stat {
    u64 cached, dirty, writeback; /* pages */
    u64 evicted, recently_evicted; /* of which only a shadow is left; that would be here with a little more memory */
};
/* Counts the pages of [first,last]. Never waits for one. */
void cache_stat(struct address_space *m, u64 first, u64 last, struct cache_stat *out);

/* PG_locked. lock sleeps. */
void page_lock(struct page *page);
bool page_try_lock(struct page *page);
void page_unlock(struct page *page);
void page_wait_writeback(struct page *page); /* sleeps */
/* From any context; whoever holds no reference forgets the page. end_read: filled, or not; unlocks. */
void page_end_writeback(struct page *page);
void page_end_read(struct page *page, bool good);
/* NULL or the broken invariant of mm/cache/mapping.c. */
const char *mapping_validate(struct address_space *m);
/* Marks dirty in flag, tree and counters; true when it was clean. */
bool cache_set_dirty(struct page *page);

/*
 * Plain reads and writes through the cache, for a file system's read() and write(). user: dst/src are user addresses. Return bytes
 * done or -errno. write extends m->size. May sleep; the caller serialises writers (inode lock). ra: the open file's, or NULL.
 */
ssize_t cache_read(struct address_space *m, struct file_ra_state *ra, u64 pos, u64 user_dst, size_t n);
ssize_t cache_write(struct address_space *m, u64 pos, u64 user_src, size_t n);
/* One piece of a read that has several, or special wishes. */
struct cache_reader {
    struct file_ra_state *ra; /* may be NULL */
    u64 end;                  /* file offset where the whole read ends */
    bool kernel;              /* dst is kernel memory */
    bool nowait;              /* -EAGAIN rather than wait for the device */
};
ssize_t cache_read_piece(struct address_space *m, const struct cache_reader *r, u64 pos, u64 dst, size_t n);
/* From and to kernel memory. */
ssize_t cache_read_kernel(struct address_space *m, u64 pos, void *dst, size_t n);
ssize_t cache_write_kernel(struct address_space *m, u64 pos, const void *src, size_t n);

/* New size: pages beyond go, also from page tables; the tail of the last page is zeroed. Sets m->size. May sleep. */
int cache_truncate(struct address_space *m, u64 new_size);
/* Drops [start,end) (bytes, inner whole pages dropped, edges zeroed): hole punching. */
int cache_punch(struct address_space *m, u64 start, u64 end);
/* Writes dirty pages of [start,end] back and waits. 0 or -errno. */
int cache_sync(struct address_space *m, u64 start, u64 end);
/* Its halves: writes what is dirty, whoever else writes; waits for what anybody is writing. */
int cache_start_sync(struct address_space *m, u64 start, u64 end);
void cache_wait_sync(struct address_space *m, u64 start, u64 end);
/* Starts from page index *index, writes about `most` dirty pages and waits for them; *index: where to go on. Pages written. */
u64 cache_write_some(struct address_space *m, u64 *index, u64 most);
/* Drops clean unmapped pages (drop_caches, invalidation after a change on the host). Returns pages dropped. */
u64 cache_invalidate(struct address_space *m, u64 first_index, u64 last_index);

/*
 * Shared memory and swap (mm/shmem/swap.c). out: page, locked, unmapped, in the swap cache, gives its place to its swap entry: 0, or
 * -EAGAIN: mapped, or somebody but the caches and the caller has a reference. in: page, locked, in the swap cache, takes the place of e;
 * false: it is not there any more. value: the swap entry or shadow at index, or NULL. forget: it goes, and its slot; false: there is none.
 */
int cache_swap_out(struct address_space *m, struct page *page);
bool cache_swap_in(struct address_space *m, u64 index, swp_entry_t e, struct page *page);
void *cache_value(struct address_space *m, u64 index);
bool cache_forget_value(struct address_space *m, u64 index);
/*
 * Reclaim. The page is locked and m's. evict: clean, not mapped, and nobody but the cache and the caller has a reference: it leaves the
 * cache, a shadow takes its place, and its references are 0: it is the caller's to free. False: it stays.
 * write_page: a dirty page is written now, alone; false: it was not, or failed. May sleep.
 */
bool cache_evict(struct address_space *m, struct page *page);
bool cache_write_page(struct page *page);

/*
 * Takes the clean pages of [first,last] out, also from page tables, waiting for their locks and write-back. 0; -EBUSY: one is dirty
 * or in use and stays. May sleep.
 */
int cache_drop(struct address_space *m, u64 first_index, u64 last_index);

/* Areas over the mapping (mm/vma calls these when it links and unlinks). */
void mapping_link_vma(struct address_space *m, struct vma *vma);
void mapping_unlink_vma(struct address_space *m, struct vma *vma);
/* Removes entries of all areas for [first,last] page offsets (mm/rmap). even_cows: also private copies (truncation). */
void mapping_unmap_range(struct address_space *m, u64 first_index, u64 last_index, bool even_cows);
/* Is the area over secret memory? */
bool vma_is_secret(const struct vma *vma);
int cache_boot(void);
#endif
