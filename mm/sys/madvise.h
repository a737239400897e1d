/* SPDX-License-Identifier: MIT */
/* What the files of madvise share. */
#ifndef MM_SYS_MADVISE_H
#define MM_SYS_MADVISE_H
#include <mm/vma.h>

/* MADV_PAGEOUT over [start,end) of the area. mmap_lock held; sleeps until what goes is written. */
void madvise_pageout(struct vma *vma, u64 start, u64 end);
/* MADV_COLD. mmap_lock held. */
void madvise_cold(struct vma *vma, u64 start, u64 end);
/* MADV_WILLNEED: begins to read what of [start,end) is in swap. mmap_lock held. */
void madvise_read_swap(struct vma *vma, u64 start, u64 end);
#endif
