/* SPDX-License-Identifier: MIT */
/* Pages of locked areas (mm/reclaim/mlock.c). None of these sleeps; the caller of the page functions holds a reference. */
#ifndef MM_MLOCK_H
#define MM_MLOCK_H
#include <mm/page.h>
#include <mm/vma.h>

/* A VM_LOCKED area maps the page, which is on its lruvec. May run under a pt_lock. */
void mlock_page(struct page *page);
/* Area `but` does not lock the page any more, though it may still map it. No pt_lock, i_mmap_lock or anon_vma lock is held. */
void munlock_page(struct page *page, const struct vma *but);
/* The pages that [start,end) of the area maps now: it has become VM_LOCKED / will not be, or loses the entries. mmap_lock held. */
void mlock_range(struct vma *vma, u64 start, u64 end);
void munlock_range(struct vma *vma, u64 start, u64 end);
/* n pages with these flags, PG_mlocked among them, are being freed. */
void mlock_freed(u32 flags, unsigned n);
#endif
