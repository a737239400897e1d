/* SPDX-License-Identifier: MIT */
/* fsync, sync and the advice calls. */
#include "internal.h"
#include <kernel/block.h>
#include <kernel/syscall.h>
#include <uapi/fadvise.h>

struct address_space *file_pages(struct file *f)
{
    struct inode *i = f->inode;
    if (f->ops == &bdev_fops)
        return &((struct block_dev *)f->priv)->inode->mapping;
    return &(i->ops && i->ops->data ? i->ops->data(i) : i)->mapping;
}

int vfs_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    if (!f->ops->fsync)
        return -EINVAL;
    int err = f->ops->fsync(f, start, end, data_only), earlier = errseq_check(&file_pages(f)->wb_err, &f->wb_err);
    return earlier ? earlier : err;
}

static s64 do_fsync(int fd, bool data_only)
{
    struct fdref r = fd_borrow(fd);
    if (!r.file)
        return -EBADF;
    s64 err = vfs_fsync(r.file, 0, ~0UL, data_only);
    fd_return(r);
    return err;
}

SYSCALL(fsync)
{
    return do_fsync((int)a0, false);
}
SYSCALL(fdatasync)
{
    return do_fsync((int)a0, true);
}

/* Writes every dirty page of sb back. The list is walked with a reference on the inode at hand. */
static int sb_sync(struct superblock *sb)
{
    struct inode *prev = NULL;
    int err = 0;
    spin_lock(&sb->inodes_lock);
    struct inode *i;
    list_for_each_entry (i, &sb->inodes, sb_link) {
        s32 refs = READ_ONCE(i->refs);
        if (refs <= 0 || !READ_ONCE(i->mapping.nrdirty) || !i->mapping.ops->write_pages)
            continue;
        if (!__atomic_compare_exchange_n(&i->refs, &refs, refs + 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        spin_unlock(&sb->inodes_lock);
        inode_put(prev);
        prev = i;
        int e = cache_sync(&i->mapping, 0, ~0UL);
        err = err ? err : e;
        spin_lock(&sb->inodes_lock);
    }
    spin_unlock(&sb->inodes_lock);
    inode_put(prev);
    if (sb->ops && sb->ops->sync) {
        int e = sb->ops->sync(sb);
        err = err ? err : e;
    }
    return err;
}

/* Clean pages that nobody maps or uses leave memory (drop_caches). Shared memory has nothing to go to and stays. */
void sb_drop_clean_pages(struct superblock *sb)
{
    struct inode *prev = NULL, *i;
    spin_lock(&sb->inodes_lock);
    list_for_each_entry (i, &sb->inodes, sb_link) {
        s32 refs = READ_ONCE(i->refs);
        if (refs <= 0 || !READ_ONCE(i->mapping.nrpages) || (i->mapping.flags & (AS_SHMEM | AS_UNEVICTABLE)))
            continue;
        if (!__atomic_compare_exchange_n(&i->refs, &refs, refs + 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        spin_unlock(&sb->inodes_lock);
        inode_put(prev);
        prev = i;
        cache_invalidate(&i->mapping, 0, ~0UL);
        spin_lock(&sb->inodes_lock);
    }
    spin_unlock(&sb->inodes_lock);
    inode_put(prev);
}

void sync_all(void)
{
    struct superblock *sb;
    mutex_lock(&sb_list_lock);
    list_for_each_entry (sb, &sb_list, link) {
        sb_sync(sb);
    }
    mutex_unlock(&sb_list_lock);
}

SYSCALL(sync)
{
    sync_all();
    return 0;
}

SYSCALL(syncfs)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = sb_sync(r.file->inode->sb);
    fd_return(r);
    return err;
}

#define SYNC_WAIT  (1u | 4u) /* before, after */
#define SYNC_WRITE 2u

/* Who waits is told of errors, like by fsync(); who only starts the writing is not. */
static int sync_range(struct file *f, u64 first, u64 last, u32 flags)
{
    struct address_space *m = file_pages(f);
    if (flags & SYNC_WRITE)
        cache_start_sync(m, first, last);
    if (flags & SYNC_WAIT) {
        cache_wait_sync(m, first, last);
        return errseq_check(&m->wb_err, &f->wb_err);
    }
    return 0;
}

SYSCALL(sync_file_range)
{
    s64 off = (s64)a1, n = (s64)a2;
    if ((u32)a3 & ~7u)
        return -EINVAL;
    if (off < 0 || n < 0 || n > S64_MAX - off)
        return -EINVAL;
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    struct inode *i = r.file->inode;
    s64 err = -ESPIPE;
    if (S_ISREG(i->mode) || S_ISBLK(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode))
        err = sync_range(r.file, (u64)off, n ? (u64)(off + n - 1) : ~0UL, (u32)a3);
    fd_return(r);
    return err;
}

SYSCALL(fadvise64)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = S_ISFIFO(r.file->inode->mode) ? -ESPIPE : cache_advise(file_pages(r.file), r.file->ra, a1, (s64)a2, (int)a3);
    fd_return(r);
    return err;
}

SYSCALL(readahead)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    struct file *f = r.file;
    s64 err;
    if (!(f->mode & FMODE_READ))
        err = -EBADF;
    else if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode))
        err = -EINVAL;
    else
        err = cache_advise(file_pages(f), f->ra, a1, (s64)a2, POSIX_FADV_WILLNEED);
    fd_return(r);
    return err;
}
