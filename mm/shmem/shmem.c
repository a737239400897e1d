/* SPDX-License-Identifier: MIT */
/*
 * Shared memory: a page cache with nothing behind it. A missing page is a page of zeros.
 *
 * MAP_SHARED|MAP_ANONYMOUS gets a struct shmem_anon, counted by its areas; tmpfs, memfd and SysV memory embed the address_space in
 * their inodes and use shmem_mapping_ops or their own with reserve/release for limits.
 *
 * Locks: none of its own.
 */
#include <lib/errno.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/vma.h>

const struct mapping_ops shmem_mapping_ops = {0};

static u64 next_inode = 1;

struct shmem_anon *shmem_anon_alloc(struct mm *mm, u64 size, bool noreserve)
{
    u64 pages = DIV_ROUND_UP(size, PAGE_SIZE);
    if (!noreserve && commit_charge(mm, pages))
        return NULL;
    struct shmem_anon *s = kzalloc(sizeof(*s), GFP_KERNEL);
    if (!s) {
        if (!noreserve)
            commit_uncharge(pages);
        return NULL;
    }
    mapping_init(&s->mapping, &shmem_mapping_ops, s, AS_SHMEM);
    s->mapping.size = size;
    s->refs = 1;
    s->charged = noreserve ? 0 : pages;
    s->inode = __atomic_fetch_add(&next_inode, 1, __ATOMIC_RELAXED);
    return s;
}

void shmem_anon_put(struct shmem_anon *s)
{
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
        return;
    mapping_destroy(&s->mapping);
    commit_uncharge(s->charged);
    kfree(s);
}

static void anon_open(struct vma *vma)
{
    struct shmem_anon *s = vma->priv;
    __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
}

static void anon_close(struct vma *vma)
{
    shmem_anon_put(vma->priv);
}

static const char *anon_name(struct vma *vma)
{
    return "/dev/zero (deleted)";
}

const struct vma_ops shmem_anon_vma_ops = {.open = anon_open, .close = anon_close, .name = anon_name};
