/* SPDX-License-Identifier: MIT */
/*
 * Readahead: which pages of a file are read before they are asked for. Bodies in mm/cache/readahead.c (windows) and
 * mm/cache/advice.c (posix_fadvise). Each open file keeps a state; without one (NULL) a call reads as the first of a fresh open.
 *
 *   start            start + size - async_size          start + size
 *     |──── read, or about to be ────|──── async_size ────|
 *                                    └ this page is marked PG_readahead: who comes to it starts the next window
 *
 * Locks: none of its own. Threads that read one open file at once may spoil its windows, never the data.
 */
#ifndef MM_READAHEAD_H
#define MM_READAHEAD_H
#include <mm/cache.h>

#define RA_PAGES_DEFAULT 32u /* 128 KiB */

struct file_ra_state {
    u64 start; /* all in pages, but for prev_pos */
    u32 size, async_size;
    u32 ra_pages;  /* the largest window; 0: each miss reads one page */
    u32 mmap_miss; /* faults that missed, less those that hit: beyond MMAP_LOTSAMISS nothing is read around them */
    u64 prev_pos;  /* bytes: where the last read() ended; U64_MAX: none yet */
    u32 flags;     /* RA_* */
};
#define RA_RANDOM  1u /* POSIX_FADV_RANDOM */
#define RA_NOREUSE 2u /* POSIX_FADV_NOREUSE: pages that are read are not marked accessed */

/* The state of a fresh open of a file with m. */
void ra_init(struct file_ra_state *ra, const struct address_space *m);

/*
 * cache_get() for a reader of the pages [index, end), where one was missing, marked or not yet read. nowait: never for the device:
 * -EAGAIN, with the read begun where the device can do that by itself. Mappings with a device only.
 */
struct page *ra_get(struct address_space *m, struct file_ra_state *ra, u64 index, u64 end, bool nowait);

enum ra_access { RA_ACCESS_NORMAL, RA_ACCESS_RANDOM, RA_ACCESS_SEQUENTIAL }; /* madvise of the area */
/* cache_get() for a fault at index. ra may be NULL: reads one page. */
struct page *ra_fault(struct address_space *m, struct file_ra_state *ra, u64 index, enum ra_access how, bool *major);
/* A fault found n pages around itself in the cache. */
void ra_fault_hits(struct file_ra_state *ra, u32 n);

/* Reads what is missing of n pages from index on, at most what one call of Linux does; only a hint. May sleep. */
void ra_force(struct address_space *m, struct file_ra_state *ra, u64 index, u64 n);
/* posix_fadvise. 0 or -EINVAL. May sleep. */
int cache_advise(struct address_space *m, struct file_ra_state *ra, u64 offset, s64 len, int advice);
#endif
