/* SPDX-License-Identifier: MIT */
/* cachestat: who may write a file may ask how much of it is in memory. */
#include "internal.h"
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <port/uaccess.h>

struct cachestat_range {
    u64 off, len;
};
struct cachestat {
    u64 nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted;
};

static bool may_ask(const struct file *f)
{
    return f->mode & FMODE_WRITE || f->inode->uid == current_task()->cred->fsuid || capable(3 /* CAP_FOWNER */) ||
           !inode_permission(f->inode, 2 /* W_OK */);
}

static s64 count(struct file *f, u64 urange, u64 uout, u32 flags)
{
    struct cachestat_range r;
    struct cache_stat n = {0};
    if (copy_from_user(&r, urange, sizeof(r)))
        return -EFAULT;
    if (!may_ask(f))
        return -EPERM;
    if (flags)
        return -EINVAL;
    u64 last = r.len ? (r.off + r.len - 1) >> PAGE_SHIFT : U64_MAX;
    struct inode *i = f->inode, *data = i->ops && i->ops->data ? i->ops->data(i) : NULL;
    if (r.off >> PAGE_SHIFT <= last)
        cache_stat(data ? &data->mapping : &i->mapping, r.off >> PAGE_SHIFT, last, &n);
    struct cachestat out = {.nr_cache = n.cached, .nr_dirty = n.dirty, .nr_writeback = n.writeback,
                            .nr_evicted = n.evicted, .nr_recently_evicted = n.recently_evicted};
    return copy_to_user(uout, &out, sizeof(out)) ? -EFAULT : 0;
}

SYSCALL(cachestat)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = count(r.file, a1, a2, (u32)a3);
    fd_return(r);
    return err;
}
