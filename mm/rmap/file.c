/* SPDX-License-Identifier: MIT */
/*
 * The areas over a file: address_space.i_mmap. A copy is linked behind its source (R2 in mm/rmap.h).
 *
 * i_mmap_writable counts shared areas that may be written; whoever seals or denies writing makes it negative and asks
 * before an area is linked.
 */
#include <mm/cache.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <port/log.h>

static bool counts_as_writable(const struct vma *vma)
{
    return (vma->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

void mapping_link_vma(struct address_space *m, struct vma *vma)
{
    spin_lock(&m->i_mmap_lock);
    list_add_tail(&vma->mapping_link, &m->i_mmap);
    if (counts_as_writable(vma))
        m->i_mmap_writable++;
    spin_unlock(&m->i_mmap_lock);
}

void mapping_unlink_vma(struct address_space *m, struct vma *vma)
{
    spin_lock(&m->i_mmap_lock);
    list_del_init(&vma->mapping_link);
    if (counts_as_writable(vma)) {
        ASSERT(m->i_mmap_writable > 0);
        m->i_mmap_writable--;
    }
    spin_unlock(&m->i_mmap_lock);
}

/* The part of vma that shows [first,last] of its file loses its entries. */
static void unmap_area(struct vma *vma, u64 first, u64 last, bool even_cows)
{
    u64 from = vma->pgoff, to = from + vma_pages(vma) - 1;
    if (last < from || first > to)
        return;
    u64 start = vma_start(vma) + ((max(first, from) - from) << PAGE_SHIFT);
    u64 end = vma_start(vma) + ((min(last, to) - from + 1) << PAGE_SHIFT);
    struct gather g;
    gather_begin(&g, vma->mm, false);
    pt_zap_mapping(&g, vma, start, end, even_cows);
    gather_end(&g);
}

void mapping_unmap_range(struct address_space *m, u64 first_index, u64 last_index, bool even_cows)
{
    struct vma *vma;
    spin_lock(&m->i_mmap_lock);
    list_for_each_entry (vma, &m->i_mmap, mapping_link)
        unmap_area(vma, first_index, last_index, even_cows);
    spin_unlock(&m->i_mmap_lock);
}
