/* SPDX-License-Identifier: MIT */
/*
 * overlayfs: open regular files. Each has an open file of the real inode behind it; a file opened for reading before a
 * copy-up reads the upper one afterwards, but keeps the lower for mappings made from it.
 */
#include "ovl.h"
#include <mm/sys.h>

struct ovl_file {
    struct file *real, *old; /* old: before the copy-up; lock guards the change */
    struct mutex lock;
};

/* The real file of today. ERR_PTR when it can't be opened. */
static struct file *real_file(struct file *f)
{
    struct ovl_file *of = f->priv;
    struct file *real = load_acquire(&of->real);
    if (likely(real->inode == ovl_real(f->inode)))
        return real;
    mutex_lock(&of->lock);
    real = of->real;
    if (real->inode != ovl_real(f->inode) && !of->old) {
        struct file *fresh = file_open_backing(ovl_real(f->inode), f->flags);
        if (IS_ERR(fresh)) {
            real = fresh;
        } else {
            of->old = real;
            WRITE_ONCE(f->ra, fresh->ra);
            store_release(&of->real, fresh);
            real = fresh;
        }
    }
    mutex_unlock(&of->lock);
    return real;
}

static ssize_t read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return PTR_ERR(real);
    return real->ops->read ? real->ops->read(real, b, n, pos) : -EINVAL;
}

static ssize_t write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return PTR_ERR(real);
    if (real->flags != f->flags)
        real->flags = f->flags; /* F_SETFL: O_APPEND, O_NONBLOCK */
    ssize_t r = real->ops->write ? real->ops->write(real, b, n, pos) : -EINVAL;
    ovl_sync_attr(f->inode);
    return r;
}

static s64 lseek(struct file *f, s64 off, int whence)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return PTR_ERR(real);
    if (whence == SEEK_SET || whence == SEEK_CUR) {
        WRITE_ONCE(f->inode->mapping.size, READ_ONCE(real->inode->mapping.size));
        return generic_lseek(f, off, whence);
    }
    struct ovl_file *of = f->priv;
    mutex_lock(&of->lock);
    real->pos = f->pos;
    s64 r =
        real->ops->lseek ? real->ops->lseek(real, off, whence) : generic_lseek(real, off, whence);
    if (r >= 0)
        f->pos = (u64)r;
    mutex_unlock(&of->lock);
    return r;
}

static int mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return (int)PTR_ERR(real);
    if (!real->ops->mmap)
        return -ENODEV;
    int err = real->ops->mmap(real, out, len, prot, flags, offset);
    if (!err &&
        out->file == real) { /* the area holds the overlay's file, which holds the real one */
        out->file = f;
        out->executable = !(f->mount && (f->mount->flags & MS_NOEXEC));
    }
    return err;
}

static int fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return (int)PTR_ERR(real);
    return ovl_upper(f->inode) && real->ops->fsync ? real->ops->fsync(real, start, end, data_only)
                                                   : 0;
}

static int fallocate(struct file *f, int mode, u64 off, u64 len)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return (int)PTR_ERR(real);
    int err = real->ops->fallocate ? real->ops->fallocate(real, mode, off, len) : -EOPNOTSUPP;
    ovl_sync_attr(f->inode);
    return err;
}

static s64 ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct file *real = real_file(f);
    if (IS_ERR(real))
        return PTR_ERR(real);
    return real->ops->ioctl ? real->ops->ioctl(real, cmd, arg) : -ENOIOCTLCMD;
}

static void release(struct file *f)
{
    struct ovl_file *of = f->priv;
    file_put(of->real);
    file_put(of->old);
    kfree(of);
}

static const struct file_ops ovl_file_fops = {.read = read,
                                              .write = write,
                                              .lseek = lseek,
                                              .mmap = mmap,
                                              .fsync = fsync,
                                              .direct = true,
                                              .fallocate = fallocate,
                                              .ioctl = ioctl,
                                              .release = release};

int ovl_open(struct inode *i, struct file *f)
{
    if (f->mode & FMODE_WRITE) {
        int err = ovl_copy_up(i);
        if (err)
            return err;
    }
    struct ovl_file *of = kzalloc(sizeof(*of), GFP_KERNEL);
    if (!of)
        return -ENOMEM;
    mutex_init(&of->lock, RANK_NONE);
    of->real = file_open_backing(ovl_real(i), f->flags);
    if (IS_ERR(of->real)) {
        int err = (int)PTR_ERR(of->real);
        kfree(of);
        return err;
    }
    f->ops = &ovl_file_fops;
    f->priv = of;
    f->ra = of->real->ra;
    WRITE_ONCE(i->mapping.size, READ_ONCE(ovl_real(i)->mapping.size));
    return 0;
}
