/* SPDX-License-Identifier: MIT */
/* What the files of mm/vma share among themselves. mmap_lock is held for writing unless said otherwise. */
#ifndef MM_VMA_INTERNAL_H
#define MM_VMA_INTERNAL_H
#include <mm/vma.h>

int mm_cache_boot(void);

/* An area that is not in the tree yet; NULL when out of memory. flags, pgoff, prot are the caller's to set. */
struct vma *vma_alloc(struct mm *mm);
/* The struct alone: no links may be left. At once, or after a grace period for areas that were in a tree. */
void vma_free(struct vma *vma);
void vma_free_rcu(struct vma *vma);
/* Ends the links to rmap and mapping, tells ops->close. Entries must be gone. */
void vma_unlink(struct vma *vma);

/* Into and out of the tree, keeping map_count and the *_vm counters. */
void vma_remove(struct mm *mm, struct vma *vma);
/* total_vm, data_vm, exec_vm, stack_vm. */
void vma_account(struct mm *mm, u64 flags, s64 pages);

/* May an area with these properties be one with `vma`, right behind (after) or before it? */
bool vma_can_follow(const struct vma *vma, const struct vma_request *req, u64 start);
bool vma_can_precede(const struct vma *vma, const struct vma_request *req, u64 end);
/* May an area whose anon_id is `changed` be one with near; may two areas be one when a third between them is one with both?
 * All are write-locked. */
bool vma_anon_agrees(u64 changed, const struct vma *near);
bool vma_anon_compatible(const struct vma *a, const struct vma *b);
/* ops->apart: mm/vma/merge.c. */
bool vma_stays_apart(const struct vma *v);
/* As vma_merge() of an area that was just cut from its neighbours in front, behind, or not at all. */
struct vma *vma_merge_part(struct vma *vma, bool front, bool back);
/* b's addresses join a, which lies right before it; b is freed. Both are write-locked. */
void vma_absorb_next(struct vma *a, struct vma *b);

/* Cuts so that [start,end) is covered by whole areas; *first is the first of them or the next above. 0, -ENOMEM, -EPERM. */
int vma_cut_edges(struct mm *mm, u64 start, u64 end, struct vma **first);

/* A private writable area counts against the commit limit. */
bool vma_is_accountable(u64 flags);
/* The end of mm: everything unmapped and freed. No lock held; users is 0. */
void vma_unmap_all(struct mm *mm);
/* No address below is chosen, nor grown to: the knob, but never less than MIN_ADDR_FLOOR. */
#define MIN_ADDR_FLOOR 65536UL
static inline u64 vma_min_addr(void)
{
    return max(sysctl_mmap_min_addr, MIN_ADDR_FLOOR);
}
#endif
