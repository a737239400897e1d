/* SPDX-License-Identifier: MIT */
/* overlayfs: attributes of the real inode, under the overlay's own device and number. */
#include "ovl.h"

int ovl_getattr(struct inode *i, struct kstat *st)
{
    int err = vfs_getattr(ovl_real(i), st);
    if (err)
        return err;
    st->dev = i->sb->dev;
    st->ino = i->ino;
    if (S_ISDIR(st->mode) && ovl(i)->nr_lower + (ovl_upper(i) != NULL) > 1)
        st->nlink = 1;
    return 0;
}

int ovl_setattr(struct inode *i, u32 valid, const struct kstat *st)
{
    int err = ovl_copy_up(i);
    if (err)
        return err;
    struct inode *up = ovl_upper(i);
    mutex_lock(&up->lock);
    err = ovl_real_setattr(up, valid, st);
    mutex_unlock(&up->lock);
    ovl_sync_attr(i);
    return err;
}

ssize_t ovl_readlink(struct inode *i, char *buf, size_t size)
{
    struct inode *r = ovl_real(i);
    return r->ops->readlink(r, buf, size);
}

static bool is_private(const char *name)
{
    return str_starts(name, "trusted.overlay.");
}

ssize_t ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
    struct inode *r = ovl_real(i);
    if (is_private(name))
        return -ENODATA;
    return r->ops->getxattr ? r->ops->getxattr(r, name, buf, size) : -EOPNOTSUPP;
}

ssize_t ovl_listxattr(struct inode *i, char *buf, size_t size)
{
    struct inode *r = ovl_real(i);
    if (!r->ops->listxattr)
        return 0;
    ssize_t n = r->ops->listxattr(r, buf, size), kept = 0;
    if (n <= 0 || !size)
        return n;
    for (ssize_t at = 0; at < n;) {
        size_t len = str_len(buf + at) + 1;
        if (!is_private(buf + at)) {
            memmove(buf + kept, buf + at, len);
            kept += (ssize_t)len;
        }
        at += (ssize_t)len;
    }
    return kept;
}

int ovl_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
    if (is_private(name))
        return -EPERM;
    int err = ovl_copy_up(i);
    if (err)
        return err;
    struct inode *up = ovl_upper(i);
    if (!up->ops->setxattr)
        return -EOPNOTSUPP;
    mutex_lock(&up->lock);
    err = up->ops->setxattr(up, name, value, size, flags);
    mutex_unlock(&up->lock);
    return err;
}

int ovl_removexattr(struct inode *i, const char *name)
{
    if (is_private(name))
        return -EPERM;
    int err = ovl_copy_up(i);
    if (err)
        return err;
    struct inode *up = ovl_upper(i);
    if (!up->ops->removexattr)
        return -EOPNOTSUPP;
    mutex_lock(&up->lock);
    err = up->ops->removexattr(up, name);
    mutex_unlock(&up->lock);
    return err;
}

const struct inode_ops ovl_link_iops = {.readlink = ovl_readlink, OVL_ATTR_OPS};
const struct inode_ops ovl_special_iops = {OVL_ATTR_OPS};
static struct inode *data(struct inode *i)
{
    return ovl_real(i);
}

const struct inode_ops ovl_file_iops = {.open = ovl_open, .data = data, OVL_ATTR_OPS};
