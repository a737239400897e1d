/* SPDX-License-Identifier: MIT */
/*
 * From a page to the entries that map it. Bodies in mm/rmap/.
 *
 * An anon_vma is shared by an area and all that descend from it by fork, split and mremap; its list holds these areas. A
 * file page is found through its address_space's i_mmap list.
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

/* Gives vma an anon_vma: a mergeable neighbour's or a new one. 0 or -ENOMEM. The vma or mmap_lock is locked; concurrent callers are fine. */
int anon_vma_prepare(struct vma *vma);
/* Links a copy (fork, split) of src to src's anon_vma, if any. Cannot fail. */
void anon_vma_clone(struct vma *dst, struct vma *src);
void anon_vma_unlink(struct vma *vma);

/* A new anonymous page gets its owner and its first mapping (refcount 1 is the mapping's); puts it on the lruvec. */
void rmap_add_new_anon(struct page *page, struct vma *vma, u64 addr);
/* One more mapping of a page (fork; file page). Counts NR_ANON_MAPPED / NR_FILE_MAPPED when it is the first. */
static inline void rmap_add(struct page *page);
/* One mapping less. The reference is the caller's to drop. */
static inline void rmap_remove(struct page *page);

/* Calls fn(vma, addr) for every area that may map the page at addr (the entry may be empty or another's); stops on
 * non-zero and returns it. Page locked or otherwise pinned. fn may take pt locks, not sleep. */
int rmap_walk(struct page *page, int (*fn)(void *ctx, struct vma *vma, u64 addr), void *ctx);
/* Removes every entry that maps the page. Returns entries removed; mapcount is then -1 unless new ones came. */
unsigned rmap_unmap(struct page *page);

#include <mm/rmap_inline.h>
#endif
