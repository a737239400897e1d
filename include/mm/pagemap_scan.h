/* SPDX-License-Identifier: MIT */
/*
 * PAGEMAP_SCAN, the ioctl of /proc/PID/pagemap: ranges of pages by what they are. Body in mm/obs/pagemap_scan.c; the home checks
 * the pointers and copies.
 */
#ifndef MM_PAGEMAP_SCAN_H
#define MM_PAGEMAP_SCAN_H
#include <lib/types.h>

struct mm;

/* Linux's layout of both. */
struct page_region {
    u64 start, end, categories;
};
struct pm_scan_arg {
    u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
    u64 category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGE_IS_WPALLOWED  (1u << 0)
#define PAGE_IS_WRITTEN    (1u << 1)
#define PAGE_IS_FILE       (1u << 2)
#define PAGE_IS_PRESENT    (1u << 3)
#define PAGE_IS_SWAPPED    (1u << 4)
#define PAGE_IS_PFNZERO    (1u << 5)
#define PAGE_IS_HUGE       (1u << 6)
#define PAGE_IS_SOFT_DIRTY (1u << 7)
#define PAGE_IS_ALL        0xffu

#define PM_SCAN_WP_MATCHING   (1u << 0)
#define PM_SCAN_CHECK_WPASYNC (1u << 1)

#define PAGEMAP_SCAN_BATCH 512

struct pagemap_scan {
    struct pm_scan_arg arg;
    struct page_region *buf; /* room for `room` regions; NULL: nothing is asked for, and nothing counted */
    u64 room, used;          /* regions */
    u64 found;               /* pages */
    u64 category;            /* of the area that is being looked at */
    u64 *entries;            /* PAGEMAP_SCAN_BATCH words of the home's, for the function's own use */
};

/* 0, -EINVAL: what the arguments say by themselves; sets the defaults. */
int pagemap_scan_check(struct pm_scan_arg *arg);
/*
 * Looks at [start, arg.end): appends regions to buf. 0: all seen; -ENOSPC: buf is full or max_pages are found, arg.walk_end is
 * where to go on; -EPERM: PM_SCAN_CHECK_WPASYNC, and an area is not made for it. Takes mmap_lock.
 */
int pagemap_scan_range(struct pagemap_scan *s, struct mm *mm, u64 start);
#endif
