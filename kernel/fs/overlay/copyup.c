/* SPDX-License-Identifier: MIT */
/*
 * overlayfs: a lower inode gets an upper one before it is changed.
 *
 *   parents first · a nameless file in the upper layer · contents, owner, mode, times · then its name: others see all or nothing
 */
#include "ovl.h"

#define CHUNK 65536UL

int ovl_real_setattr(struct inode *real, u32 valid, const struct kstat *st)
{
    if (real->ops->setattr)
        return real->ops->setattr(real, valid, st);
    if (valid & ATTR_SIZE)
        return -EINVAL;
    setattr_copy(real, valid, st);
    return 0;
}

static int copy_data(struct inode *from, struct inode *to)
{
    struct file *in = file_open_backing(from, O_RDONLY), *out = NULL;
    char *buf = kvmalloc(CHUNK, GFP_KERNEL);
    int err = IS_ERR(in) ? (int)PTR_ERR(in) : buf ? 0 : -ENOMEM;
    if (!err) {
        out = file_open_backing(to, O_WRONLY);
        err = IS_ERR(out) ? (int)PTR_ERR(out) : 0;
    }
    u64 pos = 0;
    while (!err) {
        ssize_t n = file_read_kernel(in, buf, CHUNK, pos);
        if (n <= 0) {
            err = (int)n;
            break;
        }
        if (mem_find_nonzero(buf, (size_t)n) < (size_t)n) {
            ssize_t w = file_write_kernel(out, buf, (size_t)n, pos);
            err = w == n ? 0 : w < 0 ? (int)w : -ENOSPC;
        }
        pos += (u64)n;
        if (!err && fatal_signal_pending())
            err = -EINTR;
    }
    if (!err && to->mapping.size < pos) { /* it ended in a hole */
        struct kstat st = {.size = pos};
        mutex_lock(&to->lock);
        err = ovl_real_setattr(to, ATTR_SIZE, &st);
        mutex_unlock(&to->lock);
    }
    if (out && !IS_ERR(out))
        file_put(out);
    if (!IS_ERR(in))
        file_put(in);
    kvfree(buf);
    return err;
}

static int copy_attr(struct inode *from, struct inode *to, u64 ino)
{
    struct kstat st;
    int err = vfs_getattr(from, &st);
    if (err)
        return err;
    u32 valid =
        ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME | (S_ISLNK(from->mode) ? 0 : ATTR_MODE);
    mutex_lock(&to->lock);
    err = ovl_real_setattr(to, valid, &st);
    if (!err && to->ops->setxattr)
        to->ops->setxattr(to, "trusted.overlay.origin", &ino, sizeof(ino),
                          0); /* without it the number changes, no more */
    mutex_unlock(&to->lock);
    return err;
}

static int copy_link(struct inode *lower, struct inode *dir, const char *name, size_t len,
                     struct inode **out)
{
    char *target = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!target)
        return -ENOMEM;
    ssize_t n = lower->ops->readlink(lower, target, PATH_MAX - 1);
    int err = (int)n;
    if (n >= 0) {
        target[n] = 0;
        mutex_lock(&dir->lock);
        err = dir->ops->symlink ? dir->ops->symlink(dir, name, len, target, out) : -EPERM;
        mutex_unlock(&dir->lock);
    }
    kfree(target);
    return err;
}

/* Regular files: nameless first. A file system without that gets the file by name, filled afterwards. */
static int copy_file(struct inode *i, struct inode *lower, struct inode *dir, const char *name,
                     size_t len, struct inode **out)
{
    bool nameless = dir->ops->tmpfile != NULL;
    mutex_lock(&dir->lock);
    int err = nameless ? dir->ops->tmpfile(dir, lower->mode, out)
                       : dir->ops->create(dir, name, len, lower->mode, 0, out);
    mutex_unlock(&dir->lock);
    if (err)
        return err;
    err = copy_data(lower, *out);
    if (!err)
        err = copy_attr(lower, *out, i->ino);
    if (!err && nameless) {
        mutex_lock(&dir->lock);
        err = dir->ops->link(dir, name, len, *out);
        mutex_unlock(&dir->lock);
    }
    if (err) {
        if (!nameless) {
            mutex_lock(&dir->lock);
            dir->ops->unlink(dir, name, len, *out);
            mutex_unlock(&dir->lock);
        }
        inode_put(*out);
    }
    return err;
}

/* The parent has an upper; copy_lock held. */
static int copy_one(struct inode *i)
{
    struct ovl_inode *oi = ovl(i);
    struct inode *lower = oi->lower[0], *dir = ovl_upper(oi->parent), *up = NULL;
    int err;
    if (S_ISREG(lower->mode)) {
        err = copy_file(i, lower, dir, oi->name, oi->name_len, &up);
        if (err)
            return err;
    } else {
        if (S_ISLNK(lower->mode)) {
            err = copy_link(lower, dir, oi->name, oi->name_len, &up);
        } else {
            mutex_lock(&dir->lock);
            if (S_ISDIR(lower->mode))
                err = dir->ops->mkdir(dir, oi->name, oi->name_len, lower->mode, &up);
            else
                err = dir->ops->create(dir, oi->name, oi->name_len, lower->mode, lower->rdev, &up);
            mutex_unlock(&dir->lock);
        }
        if (err)
            return err;
        err = copy_attr(lower, up, i->ino);
        if (err)
            log_print(LOG_WARN, "overlay: attributes of a copied up file were lost: %d\n", err);
    }
    store_release(&oi->upper, up);
    ovl_hash(i);
    ovl_sync_attr(i);
    return 0;
}

int ovl_copy_up(struct inode *i)
{
    if (!ovl_sb(i)->upper.mount)
        return -EROFS;
    while (!ovl_upper(i)) {
        struct inode *top = i; /* the highest that has none */
        while (!ovl_upper(ovl(top)->parent))
            top = ovl(top)->parent;
        mutex_lock(&ovl(top)->copy_lock);
        int err = ovl_upper(top) ? 0 : copy_one(top);
        mutex_unlock(&ovl(top)->copy_lock);
        if (err)
            return err;
    }
    return 0;
}
