/* SPDX-License-Identifier: MIT */
/* Shared memory: page caches without a device, for tmpfs, memfd, MAP_SHARED|MAP_ANONYMOUS and SysV shm. Bodies in mm/shmem/. */
#ifndef MM_SHMEM_H
#define MM_SHMEM_H
#include <mm/cache.h>

/* A nameless shared mapping for MAP_SHARED|MAP_ANONYMOUS: /proc/PID/maps shows "/dev/zero (deleted)". */
struct shmem_anon {
    struct address_space mapping;
    s32 refs;
    u64 inode; /* number for /proc/PID/maps */
    u64 charged; /* pages of commit charge */
};
extern const struct mapping_ops shmem_mapping_ops;
extern const struct vma_ops shmem_anon_vma_ops; /* open and close count shmem_anon through vma->priv */
/* size in bytes; refs 1. NULL when out of memory. */
struct shmem_anon *shmem_anon_alloc(struct mm *mm, u64 size, bool noreserve);
void shmem_anon_put(struct shmem_anon *s);
#endif
