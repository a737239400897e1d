/* SPDX-License-Identifier: MIT */
/* O_DIRECT for files with a device of their own: kernel/fs/direct.c. */
#ifndef KERNEL_FS_DIRECT_H
#define KERNEL_FS_DIRECT_H
#include <kernel/block.h>

#define DIRECT_PAGES 64u

struct direct_io {
    struct address_space *m; /* the cache over the same bytes */
    u32 align;               /* position, lengths and, up to 512, addresses: a multiple of align + 1 */
    u32 max_pages;           /* of one request */
    /* Moves `bytes` at pos; *done: how many, less only at the end of the file. 0 or -errno. Sleeps. */
    int (*move)(void *ctx, bool write, u64 pos, const struct bio_seg *seg, u32 n, u32 bytes, u32 *done);
    void *ctx;
};

/*
 * b: user memory. Bytes done or -errno: -EINVAL (alignment); -ENOTBLK: a write that must go through the cache. *pos is advanced. May sleep;
 * writers hold the inode's lock.
 */
ssize_t direct_rw(const struct direct_io *d, const struct iobuf *b, size_t n, u64 *pos, bool write);
#endif
