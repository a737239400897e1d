/* SPDX-License-Identifier: MIT */
/*
 * One area: allocation, copies, its place in the tree, its bounds and the counters that follow from them.
 *
 * rmap walkers read start, end and pgoff under the i_mmap or anon_vma lock. Two orders keep them right without taking these
 * locks for every change: a copy is linked before the original shrinks, and a neighbour grows before the other is unlinked;
 * so a page is always covered by some linked area. Where start and pgoff change together, vma_set_bounds() takes the locks.
 *
 * Locks: mmap_lock for writing, and vma_write_lock() for areas that are in the tree.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/slab.h>
#include <port/log.h>
#include "vma_internal.h"

static struct slab_cache *vma_cache;

/* Called by mm_boot() once slab is up. 0 or -ENOMEM. */
int vma_boot(void)
{
    u64 part = phys_free() << (PAGE_SHIFT - 10) >> 5; /* kB: 1/32 of what is free */
    sysctl_user_reserve_kbytes = min(part, 128UL << 10);
    sysctl_admin_reserve_kbytes = min(part, 8UL << 10);
    vma_cache = slab_cache_create("vm_area_struct", sizeof(struct vma), 0, 0);
    return vma_cache ? mm_cache_boot() : -ENOMEM;
}

struct vma *vma_alloc(struct mm *mm)
{
    struct vma *vma = slab_alloc(vma_cache, GFP_KERNEL | GFP_ZERO);
    if (!vma)
        return NULL;
    vma->mm = mm;
    list_init(&vma->anon_link);
    list_init(&vma->mapping_link);
    return vma;
}

void vma_free(struct vma *vma)
{
    kfree(vma->name);
    slab_free(vma_cache, vma);
}

static void vma_free_callback(struct rcu_head *head)
{
    vma_free(container_of(head, struct vma, rcu));
}

void vma_free_rcu(struct vma *vma)
{
    rcu_call(&vma->rcu, vma_free_callback);
}

struct vma *vma_dup(struct vma *vma, struct mm *mm, u64 start, u64 end)
{
    char *name = NULL;
    vma_write_lock(vma); /* its first anonymous fault must not give it an anon_vma behind our back */
    if (vma->name) {
        name = kstrdup(vma->name, GFP_KERNEL);
        if (!name)
            return NULL;
    }
    struct vma *copy = slab_alloc(vma_cache, GFP_KERNEL);
    if (!copy) {
        kfree(name);
        return NULL;
    }
    /* Field by field: others may change the links and the count of readers meanwhile. */
    *copy = (struct vma){
        .mm = mm,
        .flags = vma->flags,
        .prot = vma->prot,
        .pgoff = vma_index(vma, start),
        .lock_seq = mm == vma->mm ? mm->lock_seq : 0,
        .mapping = vma->mapping,
        .ops = vma->ops,
        .file = vma->file,
        .priv = vma->priv,
        .uffd = vma->uffd,
        .name = name,
    };
    copy->node.start = start;
    copy->node.end = end;
    list_init(&copy->anon_link);
    list_init(&copy->mapping_link);
    if (copy->ops && copy->ops->open)
        copy->ops->open(copy);
    anon_vma_clone(copy, vma);
    if (copy->mapping)
        mapping_link_vma(copy->mapping, copy);
    return copy;
}

void vma_unlink(struct vma *vma)
{
    if (vma->anon_vma)
        anon_vma_unlink(vma);
    if (vma->mapping)
        mapping_unlink_vma(vma->mapping, vma);
    if (vma->ops && vma->ops->close)
        vma->ops->close(vma);
}

void vma_discard(struct vma *copy)
{
    vma_unlink(copy);
    vma_free_rcu(copy);
}

void vma_account(struct mm *mm, u64 flags, s64 pages)
{
    mm->total_vm += (u64)pages;
    if (flags & VM_GROWSDOWN)
        mm->stack_vm += (u64)pages;
    else if ((flags & (VM_EXEC | VM_WRITE)) == VM_EXEC)
        mm->exec_vm += (u64)pages;
    else if ((flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
        mm->data_vm += (u64)pages;
}

void vma_insert(struct mm *mm, struct vma *vma)
{
    int err = rt_insert(&mm->vmas, &vma->node);
    ASSERT(!err); /* V1 */
    mm->map_count++;
    vma_account(mm, vma->flags, (s64)vma_pages(vma));
    if (mm->total_vm > mm->hiwater_vm)
        mm->hiwater_vm = mm->total_vm;
}

void vma_remove(struct mm *mm, struct vma *vma)
{
    vma_write_lock(vma);
    WRITE_ONCE(vma->detached, true);
    rt_remove(&mm->vmas, &vma->node);
    mm->map_count--;
    vma_account(mm, vma->flags, -(s64)vma_pages(vma));
}

void vma_set_bounds(struct vma *vma, u64 start, u64 end)
{
    struct mm *mm = vma->mm;
    u64 old_pages = vma_pages(vma);
    vma_write_lock(vma);
    if (start == vma_start(vma)) {
        rt_resize(&mm->vmas, &vma->node, start, end);
    } else {
        rmap_lock_vma(vma);
        vma->pgoff += (u64)((s64)(start - vma_start(vma)) >> PAGE_SHIFT); /* signed: start may fall */
        rt_resize(&mm->vmas, &vma->node, start, end);
        rmap_unlock_vma(vma);
    }
    vma_account(mm, vma->flags, (s64)vma_pages(vma) - (s64)old_pages);
    if (mm->total_vm > mm->hiwater_vm)
        mm->hiwater_vm = mm->total_vm;
}

u64 vma_prot_bits(u64 f)
{
    u64 bits = PTE_P | PTE_US | PTE_A;
    if (!(f & VM_ACCESS))
        bits = PTE_PROTNONE | PTE_US | PTE_A; /* not even the kernel's user accessors may pass */
    if (!(f & VM_EXEC))
        bits |= pte_xd_bit();
    return bits | (f & VM_PKEY) << (PTE_PKEY_SHIFT - VM_PKEY_SHIFT);
}

u64 vma_page_prot(u64 flags, const struct address_space *mapping)
{
    u64 bits = vma_prot_bits(flags);
    /* An area whose writes are watched (clear_refs took VM_SOFTDIRTY away) needs the first one to fault. */
    const u64 wanted = VM_SHARED | VM_WRITE | VM_SOFTDIRTY;
    bool shared_write = (flags & wanted) == wanted;
    if (shared_write && !(flags & VM_UFFD_WP) && (!mapping || !mapping->ops->write_pages))
        bits |= PTE_RW;
    return bits;
}

bool vma_is_shmem(const struct vma *v)
{
    return v->mapping && v->mapping->flags & AS_SHMEM && !(v->mapping->flags & AS_SYSV);
}
