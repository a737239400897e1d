/* SPDX-License-Identifier: MIT */
/* The small functions of rmap that every fault, fork and zap runs. Contract: mm/rmap.h. */
#ifndef MM_RMAP_INLINE_H
#define MM_RMAP_INLINE_H
#include <mm/cache.h>
#include <mm/vma.h>
#include <mm/page.h>
#include <mm/stat.h>

static inline enum rss_kind page_rss_kind(const struct page *page)
{
    if (page_is_anon(page))
        return RSS_ANON;
    return page_test(page, PG_swapbacked) ? RSS_SHMEM : RSS_FILE;
}
static inline void rmap_add(struct page *page)
{
    if (__atomic_add_fetch(&page->mapcount, 1, __ATOMIC_RELAXED) == 0)
        stat_node_add(page_node(page), page_is_anon(page) ? NR_ANON_MAPPED : NR_FILE_MAPPED, 1);
}
static inline void rmap_remove(struct page *page)
{
    if (__atomic_sub_fetch(&page->mapcount, 1, __ATOMIC_RELEASE) < 0)
        stat_node_add(page_node(page), page_is_anon(page) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
}
static inline void rmap_lock_vma(struct vma *vma)
{
    if (vma->mapping)
        spin_lock(&vma->mapping->i_mmap_lock);
    if (vma->anon_vma)
        spin_lock(&vma->anon_vma->lock);
}
static inline void rmap_unlock_vma(struct vma *vma)
{
    if (vma->anon_vma)
        spin_unlock(&vma->anon_vma->lock);
    if (vma->mapping)
        spin_unlock(&vma->mapping->i_mmap_lock);
}
#endif
